# A port of this machine that the hypervisor forwards. While the VM runs, it has the port itself.
need_port() { # PROTO ADDRESS PORT
	local why
	if [ "${mode:-}" = --running ]; then return 0; fi
	why=$("$runner/libexec/mvm-host" port "$@") ||
		complain "forwardPorts: the $1 port $3 of this machine cannot be used: $why"
}
