#!/usr/bin/env bash
# Fails where something outside a task's own folder names the task: by a quoted name, by its classes or by its files. A head says which task
# its outputs are for, a zoo and recipes are data: they may. Tests and examples may, too.
# usage: tasks.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"

tasks=()
for folder in pipeline/tasks/*/; do
  [[ -d $folder ]] && tasks+=("$(basename "$folder")")
done
[[ ${#tasks[@]} -gt 0 ]] || { echo "pipeline/tasks: there are no tasks"; exit 1; }

bad=0
while IFS= read -r -d '' file; do
  for task in "${tasks[@]}"; do
    [[ $file != pipeline/tasks/"$task"/* ]] || continue
    [[ $file != modules/heads/* && $file != apps/examples/* ]] || continue
    camel=${task^}
    # Comments are free to give an example.
    if found=$(sed -E 's#//.*$##' "$file" | grep -nE "\"$task\"|pipeline/tasks/$task/|\b$camel([A-Z][A-Za-z]*)?\b|\b${task}_(task|operation|training|evaluator)\b"); then
      echo "$file names the task $task:"
      echo "$found" | sed 's/^/  /'
      bad=1
    fi
  done
done < <(find modules datasets pipeline apps -type f \( -name '*.cpp' -o -name '*.hpp' -o -name CMakeLists.txt \) -print0 2>/dev/null)
exit "$bad"
