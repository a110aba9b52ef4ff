#!/bin/sh
# Publish one notification with Debian's amqp-publish (package amqp-tools).
#
#   AMQP_URL=amqp://guest:guest@127.0.0.1:5672// examples/send.sh anna@example.org
#
# This client does not wait for the broker's confirm. It is for experiments; a service needs a client
# that waits (see send.py).
set -eu

to=${1:?usage: examples/send.sh EMAIL_ADDRESS}
url=${AMQP_URL:-amqp://guest:guest@127.0.0.1:5672//}
# notify writes pyamqp:// for its own library, and the virtual host "/" as //. This client wants
# amqp:// and %2f.
url=amqp://${url#*://}
case $url in *//) url=${url%/}%2f ;; esac
id=$(cat /proc/sys/kernel/random/uuid)

amqp-publish --url="$url" --exchange=notify --routing-key=email.normal.shop \
    --content-type=application/json --persistent \
    --body="{\"id\": \"$id\", \"to\": \"$to\", \"subject\": \"Your parcel\", \"text\": \"It is on its way.\"}"
echo "$id"
