#!/bin/sh
# Everything about deploying that can be checked without a cloud: files, templates, configurations, the image.
# `deploy/check.sh audit` asks for known vulnerabilities of the dependencies instead, which needs the internet.
set -eu
cd "$(dirname "$0")/.."

tools=.venv/deploy
stamp=$(cksum < requirements/deploy.txt)
if [ "$(cat "$tools/stamp" 2>/dev/null)" != "$stamp" ]; then
    python -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements/deploy.txt
    echo "$stamp" > "$tools/stamp"
fi
PATH="$PATH:$PWD/$tools/bin"
export PATH

say() { printf '\ndeploy: %s\n' "$*"; }

if [ "${1:-}" = audit ]; then
    say "known vulnerabilities"
    pip-audit --strict --no-deps --disable-pip --requirement requirements/constraints.txt
    cd clients && exec npm audit --audit-level=high
fi

say "Dockerfiles"
hadolint Dockerfile deploy/Dockerfile.supervisord

say "compose files"
for file in docker-compose.yml docker-compose.dev.yml; do
    check-jsonschema --builtin-schema vendor.compose-spec "$file"
done
docker-compose --file docker-compose.yml config --quiet
docker-compose --file docker-compose.yml --file docker-compose.dev.yml config --quiet
DOMAIN=localhost docker-compose --file docker-compose.yml --file deploy/server/compose.yml config --quiet

say "GitHub workflows"
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
zizmor --offline --quiet --no-progress .github
if command -v actionlint >/dev/null; then actionlint; else echo "SKIPPED: actionlint is not installed" >&2; fi

say "CloudFormation"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for values in deploy/ecs/staging.toml deploy/ecs/production.toml; do
    environment=$(basename "$values" .toml)
    python -m deploy.ecs --env "$environment" --output "$folder" >/dev/null
    cfn-lint "$folder/$environment-base.json" "$folder/$environment-services.json"
    "$tools/bin/python" deploy/ecs/register.py "$folder/$environment-base.json" "$folder/$environment-services.json"
done

say "tests"
python -m pytest -q framework/web
python -m pytest -q deploy

say "PgBouncer"
if PATH="$PATH:/usr/sbin" command -v pgbouncer >/dev/null; then
    server=${IMAGE_CHECK_DATABASE_URL:-postgres://postgres:postgres@127.0.0.1:5432/postgres}
    export DATABASE_URL="${server%/*}/pgbouncer_check" # only the tests' database beside it is ever made
    find apps deploy framework -name test_pgbouncer.py -exec python -m pytest -q {} +
    python -m deploy.pgbouncer python -m pytest -q apps --ignore-glob='*/test_pgbouncer.py'
    unset DATABASE_URL
else
    echo "SKIPPED: nothing was run through PgBouncer: it is not installed" >&2
fi

say "image"
deploy/check_image.sh
