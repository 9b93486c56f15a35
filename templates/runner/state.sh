# A build replaces a runner, and `mvmbuild host` all that it made, with everything in it: what a VM keeps must be elsewhere.
need_outside_runner() { # DIRECTORY WHAT
	local above=$1
	until [ "$above" -ef / ] || [ ! -e "$above" ]; do
		if [ "$above" -ef "$runner" ] || [ -e "$above/share/microvm/manifest.json" ] || { [ -e "$above/host.json" ] && [ -e "$above/bin/install-host" ]; }; then
			complain "$2 is in a runner, and the next build takes it away; start the VM in a directory of its own:" \
				"mkdir -p ~/$name && cd ~/$name && $runner/bin/microvm-run"
			return
		fi
		above=$above/..
	done
}
