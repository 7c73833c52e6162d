#!/bin/sh
# Plants each bug in a copy of the project, one at a time; some test of the
# packages that its first line names must fail. Usage: run.sh [NAME...]
set -u
export SLUICE_TEST_DEPLOY=1
cd "$(dirname "$0")/../.." || exit 1
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy" || exit 1
caught=0 missed=0
for name in ${*:-$(ls test/mutations | sed -n 's/\.patch$//p')}; do
	patch=test/mutations/$name.patch
	packages=$(sed -n '1s/^# packages: //p' "$patch")
	[ -n "$packages" ] || { echo "$name: the first line names no packages"; exit 1; }
	patch -s -p1 -d "$copy" <"$patch" || { echo "$name: does not apply"; exit 1; }
	(cd "$copy" && go test -vet=off $packages -run '^$' >/dev/null) || { echo "$name: does not build"; exit 1; }
	if out=$(cd "$copy" && timeout 150 go test -vet=off -failfast -timeout 140s $packages 2>&1); then
		missed=$((missed + 1))
		echo "MISSED $name"
	else
		caught=$((caught + 1))
		echo "caught $name: $(printf %s "$out" | grep -m1 -E '^ *--- FAIL|^panic:|timed out' || echo 'by time')"
	fi
	patch -s -R -p1 -d "$copy" <"$patch" || exit 1
done
echo "$caught caught, $missed missed"
[ "$missed" = 0 ]
