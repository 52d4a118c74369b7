#!/usr/bin/env bash
# All that CI checks, stage by stage, each timed; called by `make test`. A failed stage does not hide what the others
# would say, except set-up, without which none can run. The last line counts single tests: 'N passed, N failed'; a
# failed stage without tests of its own (format, lints, size) counts as one failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0
failed=0
summary=()

# stage TITLE COMMAND…: runs it, keeps its output in $logs/last, sets stage_ok.
stage() {
    local title=$1 started=$SECONDS
    shift
    printf '\n=== %s\n' "$title"
    stage_ok=yes
    "$@" 2>&1 </dev/null | tee "$logs/last" || stage_ok=no
    local line
    line=$(printf '%-34s %-6s %4d s' "$title" "$([[ $stage_ok == yes ]] && echo ok || echo FAILED)" $((SECONDS - started)))
    summary+=("$line")
    printf -- '--- %s\n' "$line"
}

# A stage that is one check.
check() {
    stage "$@"
    if [[ $stage_ok == no ]]; then failed=$((failed + 1)); fi
}

# count PASSED FAILED: adds what a test runner counted; a stage that failed without a failed test counts as one.
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    if [[ $stage_ok == no && $2 == 0 ]]; then failed=$((failed + 1)); fi
}

finish() {
    printf '\n=== Summary, %d s\n' "$SECONDS"
    printf '%s\n' "${summary[@]}"
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0)) || exit 1
    exit 0
}

check "set-up" bash .ci/setup.sh test
[[ $stage_ok == yes ]] || finish

check "format" make fmt-check
check "clippy" make lint
check "clippy for the browser" make lint-wasm

stage "Rust tests" make test-rust
results=$(grep -aE '^test result: ' "$logs/last" || true)
count "$(awk '{ sum += $4 } END { print sum + 0 }' <<<"$results")" "$(awk '{ sum += $6 } END { print sum + 0 }' <<<"$results")"

check "size of the wasm" make test-wasm-size

rm -f e2e/test-results/results.json
stage "browser tests" make test-e2e
browser() {
    node -p "const s = JSON.parse(require('fs').readFileSync('e2e/test-results/results.json')).stats; $1" 2>/dev/null || echo 0
}
count "$(browser s.expected)" "$(browser 's.unexpected + s.flaky')"

finish
