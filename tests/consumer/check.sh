#!/usr/bin/env bash
# Installs the build to a fresh prefix, then builds and runs the consumer and the examples in a folder outside the source tree, where nothing
# but the installed package can be found.
# usage: check.sh BUILD_FOLDER COMPILER COMPILER_FLAGS
set -euo pipefail
build=$1 compiler=$2 flags=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT

cmake --install "$build" --prefix "$outside/prefix" >/dev/null
mkdir "$outside/consumer"
cp "$here/CMakeLists.txt" "$here/main.cpp" "$outside/consumer"
cp -r "$here/../../apps/examples" "$outside/consumer"
cd "$outside/consumer"
cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$outside/prefix" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags"
cmake --build build
./build/consumer
./build/own_block >/dev/null

# A package that names the folder it was built from works only on the machine that built it.
if grep -rnF "$build" "$outside/prefix" --include='*.cmake' --include='*.hpp'; then
  echo "the installed package names its build folder"
  exit 1
fi
