#!/bin/sh
# Starts everything on one bare server, or rolls it over to the code at hand, without a failed request:
#   DOMAIN=shop.example.com deploy/server/up.sh
set -eu
cd "$(dirname "$0")/../.."

export ALLOWED_HOSTS="${DOMAIN:?DOMAIN must be the name by which this server is reached}"
export CSRF_TRUSTED_ORIGINS="https://$DOMAIN" SECURE_COOKIES=1

compose() { docker compose --file docker-compose.yml --file deploy/server/compose.yml "$@"; }

compose build --quiet
compose up --detach redis
compose run --rm migrate # waits for PostgreSQL
for service in web web2 grpc grpc2 worker relay beat; do
    compose up --detach --no-deps --wait "$service"
    # It looks names up as it reads its files, and the new container may have another address.
    compose exec --no-TTY nginx nginx -s reload 2>/dev/null || true # at the first start there is none
done
compose up --detach --no-deps --wait nginx caddy
