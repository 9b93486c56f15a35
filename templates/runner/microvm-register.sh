# microvm-register [PID]: registers the VM with the host's systemd-machined, as root. PID is the
# hypervisor's process. Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
leader=${1:-$PPID}
name=@name@
id=(@id@)
cid=@cid@
manager=(org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager)

taps=(@taps@)

indexes=()
for interface in ${taps[@]+"${taps[@]}"}; do
	if [ -e "/sys/class/net/$interface/ifindex" ]; then
		indexes+=("$(cat "/sys/class/net/$interface/ifindex")")
	fi
done

if [[ $(busctl introspect "${manager[@]}" 2>/dev/null) == *RegisterMachineEx* ]]; then
	# systemd 259 and newer: also registers the vsock, by which it can reach the guest.
	properties=(Id ay "${#id[@]}" "${id[@]}" Service s mvmbuild Class s vm LeaderPIDFD h 3 \
		RootDirectory s /)
	count=5
	if [ -n "$cid" ]; then
		properties+=(VSockCID u "$cid" SSHAddress s "vsock/$cid")
		count=$((count + 2))
	fi
	if [ "${#indexes[@]}" -gt 0 ]; then
		properties+=(NetworkInterfaces ai "${#indexes[@]}" "${indexes[@]}")
		count=$((count + 1))
	fi
	exec "$runner/libexec/mvm-host" pidfd "$leader" busctl call "${manager[@]}" \
		RegisterMachineEx 'sa(sv)' "$name" "$count" "${properties[@]}"
fi
exec busctl call "${manager[@]}" RegisterMachineWithNetwork sayssusai "$name" "${#id[@]}" \
	"${id[@]}" mvmbuild vm "$leader" / "${#indexes[@]}" ${indexes[@]+"${indexes[@]}"}
