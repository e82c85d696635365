#!/usr/bin/env bash
# lockstep over two hosts, which one machine holds (launch/cluster.py), one rank each: its training step with float32 and
# with bfloat16 on the wire beside PyTorch DDP (gloo) on the same link, in turn; what overlap leaves of the communication;
# the bytes that go out. Needs root. About ten minutes. Usage: launch/compare-hosts.sh [OPTION...]
# Options: --rate RATE of the links as tc writes it, 1gbit unless given; --rounds N, 5 unless given;
# --only steps|overlap|bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

if ((EUID != 0)); then
  echo "Only root can make hosts, and this is not root. Start it in a container, say, with --cap-add SYS_ADMIN --cap-add NET_ADMIN" >&2
  exit 2
fi
install_packages "${packages_run[@]}" iproute2 python3 python3-numpy python3-torch
build_program
exec /usr/bin/python3 -B launch/compare_hosts.py "$@"
