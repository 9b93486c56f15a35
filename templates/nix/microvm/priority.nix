# SPDX-License-Identifier: MIT
# The priority of the defaults of defaults.nix; lib.mkDefault's is 1000, and that of a default in an
# option's declaration 1500.
1400
