# Shared by the scripts of this folder; not run by itself.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=${JOBS:-$(nproc)}
cd "$ROOT"

step() { printf '\n== %s  [%s]\n' "$1" "$(date -u +%H:%M:%S)"; }

# configure DIR [cmake arguments...]: quiet unless it fails.
configure() {
  local dir=$1
  shift
  mkdir -p "$dir"
  cmake -S "$ROOT" -B "$dir" -G Ninja "$@" >"$dir/configure.log" 2>&1 || {
    cat "$dir/configure.log"
    return 1
  }
}

# build DIR [targets...]
build() {
  local dir=$1
  shift
  ninja -C "$dir" -j "$JOBS" --quiet "$@"
}

# The folders of scenarios of campaign size that hold, or show what they expect, one a line: all but the soak scenarios, the
# reliability matrix, and the zoo's, in which the healthy product still fails (docs/zoo.md).
campaign_folders() { find scenarios -name '*.yaml' -printf '%h\n' | sort -u | grep -vxE 'scenarios/(soak|zoo|reliability-matrix)'; }
