#!/usr/bin/env bash
# Runs everything: builds the solution, checks the migrations, runs all tests, closes with 'N passed, N failed, N skipped'.
# Installs PostgreSQL, RabbitMQ and Chromium from Debian's packages when they are missing and this is root; otherwise says what to run.
# Of Debian's package of Prometheus only the two programs are taken, into the cache folder: installed, it would be a service that starts with the machine.
set -uo pipefail
cd "$(dirname "$0")"
exec </dev/null      # nothing here asks anything
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 GOMP_SPINCOUNT=0
# Two cores: a build server that idles between steps costs more than it saves.
export MSBUILDDISABLENODEREUSE=1

say() { echo "== $*"; }
fail() { echo "test.sh: $*" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

command -v dotnet >/dev/null || fail "the .NET 10 SDK is missing. Install it from https://dotnet.microsoft.com/download/dotnet/10.0"
dotnet --version >/dev/null 2>&1 || fail "no .NET 10 SDK is installed ($(dotnet --list-sdks | tr '\n' ' ')is there). Install it from https://dotnet.microsoft.com/download/dotnet/10.0"
node=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
[ "${node:-0}" -ge 20 ] || fail "Node.js 20 or newer with npm is missing: it builds the browser bundle. Install it from https://nodejs.org"

missing=()
[ -x /usr/lib/postgresql/15/bin/initdb ] || missing+=(postgresql-15)
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
[ -x /usr/bin/chromium ] || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
  install="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing from Debian's packages: ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -yqq --no-install-recommends install "${missing[@]}" >/dev/null \
      || fail "installing ${missing[*]} failed."
    missing=()
  elif [ "${CI:-}" = true ]; then
    fail "these are missing and only root can install them: $install"
  else
    say "the tests that need ${missing[*]} are skipped until you run as root: $install"
  fi
fi
# PATH is asked first; LLMOPS_PROMETHEUS names a program that lies elsewhere, with promtool beside it.
if [ -z "${LLMOPS_PROMETHEUS:-}" ] && ! { command -v prometheus && command -v promtool; } >/dev/null; then
  cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/llmops-tests/prometheus
  if [ ! -x "$cache/usr/bin/promtool" ] && command -v apt-get >/dev/null; then
    say "taking prometheus and promtool from Debian's package into $cache; nothing is installed and no service starts"
    [ "$(id -u)" != 0 ] || apt-get update -qq
    unpacked=$(mktemp -d)
    # Beside its place and then moved there: a run that is cut off leaves no half of a program.
    (cd "$unpacked" && apt-get -qq -o APT::Sandbox::User=root download prometheus && mkdir -p out "$(dirname "$cache")" \
      && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x -C out ./usr/bin/prometheus ./usr/bin/promtool && rm -rf "$cache" && cp -r out "$cache.part" && mv "$cache.part" "$cache")
    rm -rf "$unpacked"
  fi
  if [ -x "$cache/usr/bin/promtool" ]; then export LLMOPS_PROMETHEUS="$cache/usr/bin/prometheus"
  elif [ "${CI:-}" = true ]; then fail "prometheus is missing and Debian's package could not be had: apt-get download prometheus"
  else
    missing+=(prometheus)
    say "the test of the dashboard and the alert rules is skipped until there is a prometheus in PATH or in LLMOPS_PROMETHEUS"
  fi
fi
# A test whose service is missing fails instead of being skipped.
if [ ${#missing[@]} -eq 0 ] || [ "${CI:-}" = true ]; then export LLMOPS_REQUIRE_SERVICES=1; fi

say "building with warnings as errors"
dotnet build LlmOps.sln -v q --nologo || fail "the build failed."

say "checking that both databases have every migration"
dotnet tool restore >/dev/null || fail "dotnet-ef could not be restored."
for provider in Sqlite Postgres; do
  dotnet ef migrations has-pending-model-changes --no-build --project migrations/LlmOps.Migrations.$provider \
    || fail "the model has changes that LlmOps.Migrations.$provider lacks. Run: dotnet ef migrations add NAME --project migrations/LlmOps.Migrations.$provider"
done

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for project in tests/*.Tests; do
  name=$(basename "$project")
  say "$name"
  start=$SECONDS
  # One project at a time: they share two cores, and some measure time. A test that hangs must not hang everything.
  timeout -k 30 1200 dotnet test --project "$project" --no-build --no-progress --no-ansi 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  read -r p f k < <(awk '/^ +succeeded: /{s=$2} /^ +failed: /{f=$2} /^ +skipped: /{k=$2} END{print s+0, f+0, k+0}' "$log")
  # A project that runs no test, or that dies without counting, has failed. (Code 8: no test ran; with skipped ones that is not a failure.)
  if [ $((p + f + k)) -eq 0 ]; then f=1; fi
  if [ "$code" -ne 0 ] && [ "$f" -eq 0 ] && ! { [ "$code" -eq 8 ] && [ "$k" -gt 0 ]; }; then f=1; fi
  echo "   $name: $p passed, $f failed, $k skipped in $((SECONDS - start)) s"
  passed=$((passed + p)); failed=$((failed + f)); skipped=$((skipped + k))
done
say "all of it took $((SECONDS / 60)) min $((SECONDS % 60)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
