# This hypervisor lets the guest write to the host's store, with the rights of this user.
need_protected() { # TAG SOURCE
	if [ "$(id -u)" = 0 ] || [ -w "$2" ] || [ -O "$2" ]; then
		complain "the share $1: the guest could change $2 of this host, where $(id -un) may write; run the VM as another user, or leave the share out, and the store is on a disk"
	fi
}
