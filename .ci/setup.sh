#!/usr/bin/env bash
# Installs what building Tidemark needs and this machine lacks:  bash .ci/setup.sh [test]
#
# With `test` also what only the tests need: Chromium, npm packages, a Python environment. Written for a Debian 12
# with rustup's cargo, Node.js and Python; what is there already is left alone, and then this takes about a second.
#
#   TIDEMARK_TOOLS     folder for everything installed here; default ~/.cache/tidemark (tools/, log/)
#   TIDEMARK_WASM_BY   rustup | debian: which way to get the wasm32 target; default: rustup, else debian
#
# Debian packages go where apt-get puts them, npm packages of the browser tests into e2e/node_modules, all else into
# $TIDEMARK_TOOLS/tools. The file tools/env says how to use it; the Makefile reads it before each command.
set -euo pipefail

readonly CARGO_LEPTOS_VERSION=0.3.11
readonly BINARYEN_VERSION=132.0.0
readonly RUST_MINOR_MIN=94 # the newest Rust that a dependency asks for: iceberg, 1.94

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TIDEMARK_TOOLS:-$HOME/.cache/tidemark}
tools=$cache/tools
logs=$cache/log
for_tests=no
[[ ${1:-} == test ]] && for_tests=yes
mkdir -p "$tools" "$logs"

# One set-up at a time: two terminals may say `make` at once.
exec 9>"$tools/lock"
if ! flock -n 9; then
    echo "Another set-up is running; waiting for it."
    flock 9
fi

step_number=0
step_count=8
[[ $for_tests == yes ]] && step_count=12
changed=no

step() {
    step_number=$((step_number + 1))
    step_name=$1
    printf '[%d/%d] %s' "$step_number" "$step_count" "$step_name"
}
there() { printf ': %s\n' "${1:-there}"; }
missing() { printf ': %s\n' "$1"; }
stop() {
    printf '\nSet-up cannot go on: %s\n' "$1" >&2
    exit 1
}

# long LOG-NAME WHAT COMMAND…: runs the command with its output in a log, says every half minute that it still does,
# and how long it took. Returns the command's exit code.
long() {
    local log=$logs/$1.log what=$2 started=$SECONDS code=0 job next=30
    shift 2
    changed=yes
    echo "       $what (log: $log)"
    "$@" >"$log" 2>&1 9>&- &
    job=$!
    trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - started >= next)); then
            next=$((next + 30))
            echo "       … $((SECONDS - started)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)"
        fi
    done
    wait "$job" || code=$?
    trap - INT TERM
    if ((code == 0)); then
        echo "       done in $((SECONDS - started)) s"
    fi
    return "$code"
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

apt_refreshed=no
apt_install() {
    local apt=(apt-get -q -y -o DPkg::Lock::Timeout=300)
    command -v apt-get >/dev/null || stop "these Debian packages are needed, and there is no apt-get: $*."
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        stop "Debian packages are needed and this is neither root nor a user with sudo; run as root: apt-get install $*"
    fi
    if [[ $apt_refreshed == no ]]; then
        long apt-update "refreshing Debian's package lists" as_root "${apt[@]}" update ||
            stop "apt-get update failed, see $logs/apt-update.log."
        apt_refreshed=yes
    fi
    long "apt-$1" "installing $*" as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install \
        --no-install-recommends "$@" || stop "apt-get install $* failed, see $logs/apt-$1.log."
}

# ---- 1: native build ------------------------------------------------------------------------------------------------

has_libclang() {
    [[ -n ${LIBCLANG_PATH:-} ]] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
}

step "Compilers and libraries for the native build"
packages=()
{ command -v cc && command -v c++ && command -v make; } >/dev/null || packages+=(build-essential)
command -v clang >/dev/null || packages+=(clang)
has_libclang || packages+=(libclang-dev)
command -v pkg-config >/dev/null || packages+=(pkg-config)
command -v git >/dev/null || packages+=(git)
if ((${#packages[@]})); then
    missing "${packages[*]} missing"
    apt_install "${packages[@]}"
else
    there
fi

# ---- 2, 3, 4: Rust, its wasm32 target, and its sources --------------------------------------------------------------

step "Rust 1.$RUST_MINOR_MIN or newer, Node.js 18 or newer"
command -v cargo >/dev/null || [[ ! -x $HOME/.cargo/bin/cargo ]] || PATH=$HOME/.cargo/bin:$PATH
command -v cargo >/dev/null || stop "cargo is not there; install Rust with rustup (https://rustup.rs) and run this again."
{ command -v node && command -v npm; } >/dev/null || stop "node and npm are not there; install Node.js 18 or newer."
node_major=$(node --version | sed -E 's/^v([0-9]+).*/\1/')
((node_major >= 18)) || stop "Node.js $(node --version) is too old; version 18 or newer is needed."
unset RUSTUP_TOOLCHAIN # what an earlier set-up chose; decided anew below
rust_version=$(rustc --version | cut -d ' ' -f 2)
there "Rust $rust_version, Node.js $(node --version)"

# has_wasm_target [TOOLCHAIN]: whether that toolchain (default: the default one) has the standard library for wasm32.
has_wasm_target() {
    local dir
    dir=$(rustc ${1:+"+$1"} --print target-libdir --target wasm32-unknown-unknown 2>/dev/null) &&
        compgen -G "$dir/libstd-*.rlib" >/dev/null
}
default_is_new_enough() {
    local minor
    minor=$(cut -d . -f 2 <<<"$rust_version")
    [[ ${rust_version%%.*} == 1 ]] && ((minor >= RUST_MINOR_MIN))
}

# Builds the standard library for wasm32 from Debian's sources with Debian's compiler (both must be of one release) and
# lays it where that compiler looks. Where rustup's server is out of reach, this needs Debian's packages alone.
debian_wasm_std() {
    local work out=/usr/lib/rustlib/wasm32-unknown-unknown/lib
    work=$(mktemp -d)
    mkdir "$work/src"
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\n' >"$work/Cargo.toml"
    : >"$work/src/lib.rs"
    (cd "$work" && env -u RUSTUP_TOOLCHAIN RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 /usr/bin/cargo build --release \
        -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown) || return
    rm -f "$work"/target/wasm32-unknown-unknown/release/deps/libempty*
    as_root mkdir -p "$out"
    as_root cp "$work"/target/wasm32-unknown-unknown/release/deps/*.rlib "$out/" || return
    rm -rf "$work"
}

wasm_from_debian() {
    local packages=()
    [[ -x /usr/bin/rustc && -x /usr/bin/cargo && -x /usr/bin/cargo-clippy ]] || packages+=(rustc-web cargo-web rust-web-clippy)
    [[ -d /usr/lib/rustlib/src/rust/library ]] || packages+=(rust-web-src)
    command -v wasm-ld-19 >/dev/null || packages+=(lld-19)
    if ((${#packages[@]})); then apt_install "${packages[@]}"; fi
    command -v rustup >/dev/null || stop "the wasm32 target needs rustup, which is not there (https://rustup.rs)."
    rustup toolchain list | grep -q '^debian\b' || rustup toolchain link debian /usr ||
        stop "rustup toolchain link debian /usr failed."
    has_wasm_target debian || long wasm-std "building Rust's standard library for wasm32" debian_wasm_std ||
        stop "Rust's standard library did not build for wasm32, see $logs/wasm-std.log."
    has_wasm_target debian || stop "Debian's Rust compiler does not find the standard library built for wasm32."
}

step "Rust's wasm32 target"
toolchain= # the default one
by=${TIDEMARK_WASM_BY:-}
if [[ $by != debian ]] && default_is_new_enough && has_wasm_target; then
    there
elif [[ $by != rustup ]] && rustup toolchain list 2>/dev/null | grep -q '^debian\b' && has_wasm_target debian &&
    command -v wasm-ld-19 >/dev/null; then
    toolchain=debian
    there "there (Debian's)"
else
    missing "missing"
    if [[ $by != debian ]] && default_is_new_enough && command -v rustup >/dev/null &&
        long rustup-target "asking rustup for it, a minute at most" timeout 60 rustup target add wasm32-unknown-unknown &&
        has_wasm_target; then
        :
    elif [[ $by == rustup ]]; then
        stop "rustup could not add the wasm32 target, see $logs/rustup-target.log."
    else
        echo "       rustup cannot give it; Debian's compiler can"
        toolchain=debian
        wasm_from_debian
    fi
fi
if [[ -n $toolchain ]]; then
    export RUSTUP_TOOLCHAIN=$toolchain CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
fi

# The sources of the standard library, with which the pages' code is built smaller (see `wasm` in the Makefile).
has_std_sources() { [[ -d $(rustc --print sysroot)/lib/rustlib/src/rust/library ]]; }
step "Sources of Rust's standard library"
if has_std_sources; then
    there
else
    missing "missing"
    long rust-src "asking rustup for them" timeout 120 rustup component add rust-src && has_std_sources ||
        echo "       rustup cannot give them; pages will load about 25 KB more, see $logs/rust-src.log"
fi

# ---- 5, 6, 7: build tools of the front end --------------------------------------------------------------------------

# Unoptimised: these tools run for seconds, and would compile three times as long. Not in the project's target folder,
# so that neither waits for the other.
cargo_install() {
    env CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
        CARGO_TARGET_DIR="$tools/build" nice -n 5 cargo install --root "$tools" --force "$@"
}
installed_version() { [[ -x $tools/bin/$1 ]] && "$tools/bin/$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1; }

step "cargo-leptos $CARGO_LEPTOS_VERSION"
if [[ $(installed_version cargo-leptos) == "$CARGO_LEPTOS_VERSION" ]]; then
    there
else
    missing "missing"
    # --ignore-rust-version: one package of its lock file declares Rust 1.96 and compiles with older ones.
    long cargo-leptos "compiling it, about 7 minutes" cargo_install "cargo-leptos@$CARGO_LEPTOS_VERSION" --locked \
        --ignore-rust-version --features no_downloads ||
        stop "cargo-leptos did not compile, see $logs/cargo-leptos.log."
fi

bindgen_version=$(grep -A 1 '^name = "wasm-bindgen"$' "$root/Cargo.lock" | sed -nE 's/^version = "(.*)"/\1/p')
[[ -n $bindgen_version ]] || stop "Cargo.lock does not name a version of wasm-bindgen."
step "wasm-bindgen $bindgen_version, as in Cargo.lock"
if [[ $(installed_version wasm-bindgen) == "$bindgen_version" ]]; then
    there
else
    missing "missing"
    long wasm-bindgen "compiling it, about 3 minutes" cargo_install "wasm-bindgen-cli@$bindgen_version" ||
        stop "wasm-bindgen did not compile, see $logs/wasm-bindgen.log."
fi
rm -rf "$tools/build"

# has_stamp FILE WANTED: whether the file holds exactly that text; written only after a complete install.
has_stamp() { [[ -f $1 && $(<"$1") == "$2" ]]; }

step "wasm-opt (binaryen $BINARYEN_VERSION)"
if has_stamp "$tools/npm/stamp" "$BINARYEN_VERSION"; then
    there
else
    missing "missing"
    mkdir -p "$tools/npm"
    long wasm-opt "installing it" npm install --prefix "$tools/npm" --no-audit --no-fund --no-save --loglevel error \
        "binaryen@$BINARYEN_VERSION" || stop "npm could not install binaryen, see $logs/wasm-opt.log."
    echo "$BINARYEN_VERSION" >"$tools/npm/stamp"
fi

# ---- 8: how to use it -----------------------------------------------------------------------------------------------

step "Settings for the Makefile"
{
    echo "# Written by .ci/setup.sh; read by the Makefile before each command."
    printf 'export PATH=%q:%q:"$PATH"\n' "$tools/bin" "$tools/npm/node_modules/.bin"
    [[ $(command -v cargo) != "$HOME/.cargo/bin/cargo" ]] || printf 'export PATH="$PATH":%q\n' "$HOME/.cargo/bin"
    if [[ -n $toolchain ]]; then
        echo "export RUSTUP_TOOLCHAIN=$toolchain"
        echo "export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19"
    fi
    if has_std_sources; then echo "export TIDEMARK_STD_SOURCES=yes"; fi
    printf 'export TIDEMARK_PYTHON=%q\n' "$tools/python/bin/python"
} >"$tools/env.new"
mv "$tools/env.new" "$tools/env"
there "$tools/env"

# ---- 9 to 12: only for the tests ------------------------------------------------------------------------------------

if [[ $for_tests == yes ]]; then
    step "clippy and rustfmt"
    # rustfmt is always the default toolchain's: Debian's compiler brings none.
    absent=()
    cargo clippy --version >/dev/null 2>&1 || absent+=(clippy)
    env -u RUSTUP_TOOLCHAIN cargo fmt --version >/dev/null 2>&1 || absent+=(rustfmt)
    if ((${#absent[@]})); then
        missing "${absent[*]} missing"
        long rustup-component "asking rustup for it" env -u RUSTUP_TOOLCHAIN timeout 120 rustup component add "${absent[@]}" ||
            stop "rustup could not add ${absent[*]}, see $logs/rustup-component.log."
    else
        there
    fi

    step "Chromium"
    if [[ -x /usr/bin/chromium ]]; then
        there
    else
        missing "missing"
        apt_install chromium fonts-liberation
    fi

    step "npm packages of the browser tests"
    lock_sum=$(sha256sum <"$root/e2e/package-lock.json")
    if has_stamp "$root/e2e/node_modules/.stamp" "$lock_sum"; then
        there
    else
        missing "missing or out of date"
        long npm-e2e "installing them" env PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --prefix "$root/e2e" --no-audit --no-fund \
            --loglevel error || stop "npm ci in e2e failed, see $logs/npm-e2e.log."
        echo "$lock_sum" >"$root/e2e/node_modules/.stamp"
    fi

    step "Python with PyIceberg, DuckDB and moto"
    wanted=$(sha256sum <"$root/.ci/python-requirements.txt")
    if has_stamp "$tools/python/stamp" "$wanted" && [[ -x $tools/python/bin/python ]]; then
        there
    else
        missing "missing or out of date"
        command -v python3 >/dev/null || apt_install python3 python3-venv
        python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
        rm -rf "$tools/python"
        python3 -m venv "$tools/python" || stop "python3 -m venv failed."
        long python "installing them" "$tools/python/bin/python" -m pip install --quiet --disable-pip-version-check \
            --only-binary :all: -r "$root/.ci/python-requirements.txt" ||
            stop "pip could not install them, see $logs/python.log."
        echo "$wanted" >"$tools/python/stamp"
    fi
fi

if [[ $changed == yes ]]; then
    echo "Set up in $SECONDS s."
else
    echo "Nothing was missing."
fi
