# SPDX-License-Identifier: MIT
# A closure of Debian packages, one store path each, that refer to each other as the packages depend
# on each other; small paths as NixOS has many; and a toplevel that refers to all. closure.sh writes
# the list of packages.
{
  packages, # a JSON file: [{name, version, deb, leaf, dependsOn: [name]}], acyclic
  small ? "", # the small path of this leaf is different
  large ? "", # the package itself is different
}:

let
  list = builtins.fromJSON (builtins.readFile packages);
  leaves = builtins.filter (package: package.leaf) list;

  run = name: attributes: script: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-euc" script ];
    PATH = "/usr/bin:/bin";
  } // attributes);

  unpacked = builtins.listToAttrs (map (package: {
    inherit (package) name;
    value = run "${package.name}-${package.version}" {
      inherit (package) deb;
      references = map (name: unpacked.${name}) package.dependsOn;
      change = if package.name == large then "changed" else "";
    } ''
      mkdir "$out"
      dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner --no-same-permissions -C "$out"
      chmod -R u+w "$out"
      mkdir -p "$out/nix-support"
      printf '%s\n' $references $change > "$out/nix-support/propagated-build-inputs"
    '';
  }) list);

  unit = package: run "unit-${package.name}.service" {
    text = ''
      [Unit]
      Description=${package.name}${if package.name == small then " (changed)" else ""}
      [Service]
      Environment=PATH=${unpacked.${package.name}}/usr/bin
      ExecStart=${unpacked.${package.name}}/usr/bin/${package.name}
    '';
  } ''mkdir "$out"; printf %s "$text" > "$out/${package.name}.service"'';
in
{
  toplevel = run "bench-system" {
    parts = map (package: unpacked.${package.name}) list ++ map unit leaves;
  } ''
    mkdir -p "$out/parts"
    printf '%s\n' $parts > "$out/store-paths"
    ln -s -t "$out/parts" $parts
    printf '#!/bin/sh\n' > "$out/init"
    chmod +x "$out/init"
  '';
}
