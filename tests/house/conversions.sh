#!/usr/bin/env bash
# Fails where a floating number becomes an integer by a bare cast in what recipes describe: modules/core/whole.hpp checks that it fits.
# usage: conversions.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"
rooms=()
for room in modules/attention modules/backbones modules/heads modules/necks modules/nn datasets/preprocess.cpp datasets/augment.cpp; do
  [[ -e $room ]] && rooms+=("$room")
done
[[ ${#rooms[@]} -gt 0 ]] || exit 0
if grep -rnE 'static_cast<(int|long|std::u?int(32|64)_t|std::size_t)>\((static_cast<double>|std::(floor|ceil|l?l?round|log2?|sqrt|abs|pow))' "${rooms[@]}"; then
  echo "a cast of a number that may not fit; use whole() of modules/core/whole.hpp"
  exit 1
fi
