# SPDX-License-Identifier: Apache-2.0
# Sourced with the arguments BUILD_FOLDER SOURCE_FOLDER PYTHON: installs the library of the build, builds the Python package on it
# with pip and installs that into a virtual environment. Then $inside is that environment's Python, $work a folder for the test.
build=$1 source=$2 python=$3 name=$(basename "$0" _test)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/log"
# skip REASON: exit status 77, the last line says why
skip() {
  cat "$work/log"
  echo "python_$name: SKIPPED: $1"
  exit 77
}
pip() { "$inside" -m pip --disable-pip-version-check "$@"; }

install_package() {
  "$python" -m venv --system-site-packages "$work/venv" > "$work/log" 2>&1 ||
    skip "no virtual environment can be made (package python3-venv)"
  inside=$work/venv/bin/python
  "$inside" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' > "$work/log" 2>&1 ||
    skip "Python.h is missing (package python3-dev)"
  pip install --quiet --retries 1 scikit-build-core nanobind > "$work/log" 2>&1 ||
    skip "scikit-build-core and nanobind cannot be had from PyPI"
  cmake --install "$build" --prefix "$work/prefix" > /dev/null
  CMAKE_ARGS=-DATROUS_PREFIX=$work/prefix pip install --quiet --no-build-isolation --no-deps "$source"
  rm -r "$work/prefix"  # the package stands alone
  cd "$work"
  unset ATROUS_MODEL_PATH
}
