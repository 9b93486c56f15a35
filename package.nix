# SPDX-License-Identifier: MIT
# mvmbuild and microvm, for nixpkgs' callPackage. The programs that mvmbuild carries into guests and
# runners are static, against musl: `carried`.
{
  lib,
  stdenv,
  pkgsStatic,
  pkgsCross,
  pkg-config,
  makeWrapper,
  libyaml,
  libarchive,
  zlib,
  e2fsprogs,
  libuuid,
  sqlite,
  zstd,
  openssl,
  json_c,
  cmocka,
  python3,
  jq,
  libiconv,
  lz4,
  lzop,
  xz,
  erofs-utils,
  # Old and new names in nixpkgs.
  xxHash ? null,
  xxhash ? xxHash,
  squashfsTools ? null,
  squashfs-tools ? squashfsTools,
  # Whether to carry the programs of the other architecture too: for its guests, which QEMU
  # emulates, and for its hosts (hostSystem). It needs a cross compiler, which takes an hour where
  # no binary cache has it.
  withForeign ? false,
}:

let
  # The Makefile is the place of the version.
  version = builtins.head
    (builtins.match ".*\nVERSION := ([^\n]*)\n.*" (builtins.readFile ./Makefile));

  meta = {
    description = "Compiler for microVMs";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" "aarch64-linux" ];
  };

  # These files and directories alone: changes elsewhere do not rebuild what is made of them.
  # lib.fileset.toSource reads the store's directory with Nix before 2.14, which flakes must not.
  sourceOf = parts: builtins.path {
    path = ./.;
    name = "mvmbuild-source";
    filter = path: type:
      let relative = lib.removePrefix "${toString ./.}/" path;
      in lib.any
        (part: lib.hasPrefix "${part}/" "${relative}/" || lib.hasPrefix "${relative}/" part) parts;
  };

  carriedSource = sourceOf [ "Makefile" "base" "imaging/guest" "backends/runtime" ];

  carriedBy = packages: programs: packages.stdenv.mkDerivation {
    pname = "mvmbuild-carried";
    inherit version meta;
    src = carriedSource;
    buildInputs = lib.optional (lib.elem "mvm-nix-db" programs) packages.sqlite;
    makeFlags = [ "MUSL_CC=$(CC)" "STATIC_SQLITE_FOUND=yes" ];
    buildFlags = map (program: "build/${program}") programs;
    enableParallelBuilding = true;
    installPhase = ''
      runHook preInstall
      install -D -t $out/libexec \
        ${lib.concatMapStringsSep " " (program: "build/${program}") programs}
      runHook postInstall
    '';
  };

  programs = [ "mvm-init" "mvm-host" "mvm-nix-db" ];
  carried = carriedBy pkgsStatic programs;
  foreign =
    if stdenv.hostPlatform.isx86_64
    then { name = "aarch64"; packages = pkgsCross.aarch64-multiplatform; }
    else { name = "x86_64"; packages = pkgsCross.gnu64; };
  carriedForeign = carriedBy foreign.packages.pkgsStatic programs;
in
stdenv.mkDerivation {
  pname = "mvmbuild";
  inherit version;

  src = sourceOf [
    "Makefile" "README.md" "CHANGELOG.md" "LICENSE" "base" "imaging" "backends" "compiler"
    "templates" "docs" "tests/tests.mk" "tests/unit" "tests/fuzz" "tests/golden"
  ];

  nativeBuildInputs = [ pkg-config makeWrapper ];
  buildInputs = [
    libyaml libarchive zlib e2fsprogs libuuid sqlite zstd lz4 xxhash openssl json_c
  ];

  preBuild = ''
    mkdir carried
    cp ${carried}/libexec/* carried/
  '' + lib.optionalString withForeign ''
    for program in ${toString programs}; do
      cp ${carriedForeign}/libexec/$program carried/$program-${foreign.name}
    done
  '';
  makeFlags = [ "PARTS=carried" "PREFIX=${placeholder "out"}" ];
  enableParallelBuilding = true;

  # The tests that need neither root, a guest nor a network.
  doCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  checkInputs = [ cmocka ];
  nativeCheckInputs = [
    (python3.withPackages (python: [ python.jsonschema python.pyyaml ]))
    jq libiconv lz4 lzop squashfs-tools xz zstd
  ];
  preCheck = "patchShebangs tests";
  checkTarget = "unit-programs";
  postCheck = ''
    for program in build/tests/unit/*_test; do
      MVM_HOST=$PWD/carried/mvm-host "$program" >log 2>&1 || { cat log; exit 1; }
    done
    for program in build/tests/fuzz/*_fuzz; do
      name=''${program##*/}
      "$program" tests/fuzz/corpus/"''${name%_fuzz}" >log 2>&1 || { cat log; exit 1; }
    done
    bash tests/golden/run.sh
    python3 tests/golden/schema.py build/mvmbuild
  '';

  # mkfs.erofs and mksquashfs are for storeDiskType: erofs and storeDisk.engine: mksquashfs. Those
  # in PATH come first.
  postFixup = ''
    wrapProgram $out/bin/mvmbuild --suffix PATH : ${lib.makeBinPath [ erofs-utils squashfs-tools ]}
  '';

  passthru = { inherit carried; };
  meta = meta // { mainProgram = "mvmbuild"; };
}
