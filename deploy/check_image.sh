#!/bin/sh
# Builds the image from the unchanged Dockerfile and runs every role from it, against the PostgreSQL and the Redis of
# IMAGE_CHECK_DATABASE_URL and IMAGE_CHECK_REDIS_URL. With a Docker engine, that does it; without one, buildah and
# podman on a stand-in for the base image, Debian's own Python. What a machine cannot do is skipped, and said.
set -eu
cd "$(dirname "$0")/.."

image=localhost/backend-check
folder=${IMAGE_CHECK_DIR:-/var/tmp/backend-image-check}
bundle=/etc/ssl/certs/ca-certificates.crt
base=$(sed -n 's/^FROM \(python:[^ ]*\).*/\1/p' Dockerfile | head -n 1)

skip() {
    echo "SKIPPED: the image was not built: $*" >&2
    exit 0
}

buildah() { command buildah --root "$folder/root" --runroot "$folder/run" --storage-driver overlay "$@"; }
podman() { command podman --root "$folder/root" --runroot "$folder/run" --storage-driver overlay --runtime runc "$@"; }

make_base() {
    buildah inspect --type image "docker.io/library/$base" >/dev/null 2>&1 && return
    release=${base##*-}
    echo "image: a stand-in for $base, of Debian $release"
    rm -rf "$folder/rootfs"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$release" "$folder/rootfs" >/dev/null
    ln -s /usr/bin/python3 "$folder/rootfs/usr/local/bin/python"
    rm -rf "$folder"/rootfs/var/cache/apt/archives/*.deb "$folder"/rootfs/var/lib/apt/lists/*
    tar -C "$folder/rootfs" -c . | podman import --quiet - "docker.io/library/$base" >/dev/null
    rm -rf "$folder/rootfs"
}

build() {
    # The certificates that this machine trusts are lent to the build, and stay out of the image.
    printf '[global]\ncert = %s\n' "$bundle" > "$folder/pip.conf"
    buildah build --isolation chroot --pull=never --layers --format docker \
        --volume "$bundle:$bundle:ro" --volume "$folder/pip.conf:/etc/pip.conf:ro" "$@" .
}

if docker info >/dev/null 2>&1; then
    engine=docker
    docker build --quiet --build-arg RELEASE=checked --tag "$image" .
    docker build --quiet --tag "$image-supervisord" --build-arg "IMAGE=$image" --file deploy/Dockerfile.supervisord .
else
    [ "$(id -u)" = 0 ] || skip "there is no Docker engine, and buildah with a stand-in base needs root"
    for tool in buildah debootstrap podman runc; do
        command -v "$tool" >/dev/null || skip "there is no Docker engine, and no $tool"
    done
    engine="podman --root $folder/root --runroot $folder/run --storage-driver overlay --runtime runc"
    mkdir -p "$folder"
    make_base
    build --build-arg RELEASE=checked --tag "$image"
    build --tag "$image-supervisord" --build-arg "IMAGE=$image" --file deploy/Dockerfile.supervisord
fi
# shellcheck disable=SC2086 # the engine is several words
exec python deploy/check_roles.py "$image" $engine
