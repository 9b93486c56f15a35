#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/e2e/build/signal_test.sh at every step, and with some 2,000 signals (MVM_LONG=N: N times as
# many).
SIGNALS=$((${MVM_LONG:-1} * 300)) STRIDE=1 exec bash "$(dirname "$0")/../e2e/build/signal_test.sh"
