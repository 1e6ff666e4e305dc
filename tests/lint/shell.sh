#!/usr/bin/env bash
# Every script is clean to shellcheck: files that end in .sh, and executable ones whose first line names a shell.
set -euo pipefail

scripts=()
while read -r file; do
    if [[ $file == *.sh ]] || { [ -x "$file" ] && head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh$'; }; then
        scripts+=("$file")
    fi
done < <(git ls-files)
shellcheck --shell=bash --severity=style "${scripts[@]}"
for script in "${scripts[@]}"; do
    head -n 1 "$script" | grep -q '^#!' || continue
    [ -x "$script" ] || {
        echo "$script: has a first line for the kernel but is not executable"
        exit 1
    }
done
