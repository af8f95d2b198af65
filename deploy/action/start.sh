#!/usr/bin/env bash
# Starts a mock beside the steps of a job, and says where it is. Used by action.yml; reads INPUT_* and RUNNER_TEMP.
set -euo pipefail

fail() {
  echo "::error title=genstudio-mock::$1"
  exit 1
}

home="$RUNNER_TEMP/genstudio-mock"
mkdir -p "$home"
"$INPUT_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$INPUT_PYTHON is no Python of 3.11 or newer; set one up, or name it: with: {python: python3.12}"
if [ ! -x "$home/venv/bin/genstudio-mock" ]; then
  "$INPUT_PYTHON" -m venv "$home/venv"
  "$home/venv/bin/python" -m pip install -q --disable-pip-version-check \
    "${INPUT_VERSION:+genstudio-mock==}${INPUT_VERSION:-$GITHUB_ACTION_PATH}"
fi

flags=(--port "$INPUT_PORT" --port-file "$home/port")
[ -z "$INPUT_EDITION" ] || flags+=(--edition "$INPUT_EDITION")
[ -z "$INPUT_FIXTURES" ] || flags+=(--fixtures "$INPUT_FIXTURES")
more=()
[ -z "$INPUT_ARGS" ] || eval "more=($INPUT_ARGS)" # quotes in it are a shell's
rm -f "$home/port"
nohup "$home/venv/bin/genstudio-mock" serve "${flags[@]}" ${more[@]+"${more[@]}"} >"$home/log" 2>&1 </dev/null &
mock=$!
echo "$mock" >"$home/pid"

deadline=$((SECONDS + INPUT_WAIT_TIMEOUT))
until [ -s "$home/port" ]; do
  kill -0 "$mock" 2>/dev/null || fail "$(tail -n 1 "$home/log")"
  [ "$SECONDS" -lt "$deadline" ] || { kill "$mock"; fail "not ready within $INPUT_WAIT_TIMEOUT s: $(tail -n 1 "$home/log")"; }
  sleep 0.1
done

port="$(cat "$home/port")"
url="http://127.0.0.1:$port"
base="$(
  "$home/venv/bin/python" -c '
import sys
from mockserver.testing.control_client import ControlClient
print(ControlClient(sys.argv[1]).base_url())' "$url"
)"
{
  echo "url=$url"
  echo "port=$port"
  echo "base-url=$base"
  echo "api-key=sk-any"
} >>"$GITHUB_OUTPUT"
# The command alone: the environment's python and pip would come before those that the job has set up.
mkdir -p "$home/bin"
ln -sf ../venv/bin/genstudio-mock "$home/bin/"
echo "$home/bin" >>"$GITHUB_PATH"
sed -n 1,7p "$home/log"
