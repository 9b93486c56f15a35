# A build replaces a runner, and `mvmbuild host` its whole output, so a VM's data must be outside of
# them.
need_outside_runner() { # DIRECTORY WHAT
	local above=$1
	until [ "$above" -ef / ] || [ ! -e "$above" ]; do
		if [ "$above" -ef "$runner" ] || [ -e "$above/share/microvm/manifest.json" ] ||
			{ [ -e "$above/host.json" ] && [ -e "$above/bin/install-host" ]; }; then
			complain "$2 is in a runner, which the next build replaces; start the VM in a directory of its own:" \
				"mkdir -p ~/$name && cd ~/$name && $runner/bin/microvm-run"
			return
		fi
		above=$above/..
	done
}

# A runner in a VM's directory is for that directory: elsewhere it would find none of the VM's
# volumes, and create others.
need_home() {
	local home
	home=$(vm_home) || return 0
	if [ . -ef "$home" ]; then return; fi
	complain "this runner is for the VM in $home, not in ${PWD:-.}; first run: cd $(printf %q "$home")"
}
