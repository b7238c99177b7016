#!/usr/bin/env bash
# Makes the secrets of deploy/compose.yaml in FOLDER (default: deploy/secrets): passwords, tokens, and a certificate for
# the broker under the names given. What is there stays as it is. Needs openssl and mosquitto_passwd.
#   deploy/secrets.sh [FOLDER [NAME-OR-ADDRESS-OF-THE-BROKER …]]
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
shift || true
mkdir -p "$folder"
# containers read the files under other users; nobody else on this machine gets into the folder
chmod 700 "$folder"
cd "$folder"

word() { openssl rand -hex 24; }

for name in influx_password influx_token grafana_password broker_password gateway_password; do
  [ -e "$name" ] || word >"$name"
done

if [ ! -e broker_accounts ]; then
  # the passwords go through a file, not through the list of processes
  { echo "keepclean:$(cat broker_password)"; echo "gateway:$(cat gateway_password)"; } >broker_accounts.new
  mosquitto_passwd -U broker_accounts.new
  mv broker_accounts.new broker_accounts
fi

if [ ! -e broker_cert ]; then
  names="DNS:localhost,IP:127.0.0.1"
  for name in "$@"; do
    case $name in *[!0-9.]*) names+=",DNS:$name" ;; *) names+=",IP:$name" ;; esac
  done
  certificate() { openssl "$@" 2>openssl.log || { cat openssl.log >&2; exit 1; }; }
  certificate req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=keepclean broker CA" \
    -addext "keyUsage=critical,keyCertSign" -keyout broker_ca_key -out broker_ca
  certificate req -newkey rsa:3072 -nodes -subj "/CN=keepclean broker" -keyout broker_key -out broker.csr
  echo "subjectAltName=$names" >broker.ext
  certificate x509 -req -in broker.csr -CA broker_ca -CAkey broker_ca_key -CAcreateserial -days 825 \
    -extfile broker.ext -out broker_cert
  rm -f broker.csr broker.ext broker_ca.srl openssl.log
fi
chmod 444 ./*
chmod 400 broker_ca_key
echo "the secrets are in $folder; gateways need broker_ca and gateway_password"
