#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs tests/e2e/build/signal_test.sh at every step, and with some 2,000 signals (N times as many
# with MVM_LONG=N).
SIGNALS=$((${MVM_LONG:-1} * 300)) STRIDE=1 exec bash "$(dirname "$0")/../e2e/build/signal_test.sh"
