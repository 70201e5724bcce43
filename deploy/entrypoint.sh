#!/bin/sh
# The roles of the image. Each one is exec'ed, so that SIGTERM reaches it and its exit code is the container's.
set -eu

role=${1:-}
[ $# = 0 ] || shift

export ALIVE_FILE="/tmp/alive-$role"

case "$role" in
    web) exec gunicorn -c python:project.gunicorn project.wsgi "$@" ;;
    grpc) exec python manage.py grpcrunserver "$@" ;;
    worker)
        # SIGTERM begins Celery's soft shutdown: tasks get WORKER_GRACE seconds, then go back to the broker.
        export REMAP_SIGTERM=SIGQUIT
        exec celery -A project worker --pool prefork --without-gossip --without-mingle --loglevel WARNING "$@" \
            -- "worker.soft_shutdown_timeout=${WORKER_GRACE:-60}"
        ;;
    beat) exec celery -A project beat --pidfile= --loglevel WARNING "$@" ;;
    relay) exec python manage.py relay "$@" ;;
    migrate)
        python manage.py migrate --noinput "$@"
        exec python manage.py schedules
        ;;
    all)
        "$0" migrate
        exec supervisord --nodaemon --configuration "$(dirname "$0")/supervisord.conf"
        ;;
    manage) exec python manage.py "$@" ;;
    secrets) exec python deploy/make_secrets.py "$@" ;;
    *)
        echo "usage: web | grpc | worker | beat | relay | migrate | all | manage COMMAND | secrets FOLDER" >&2
        exit 64
        ;;
esac
