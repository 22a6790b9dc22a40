#!/bin/sh
# Makes ./secrets for compose.yaml, as root: a file is readable by the account of the container that needs it and by nobody
# else. What is there already stays.
set -eu
umask 077
mkdir -p secrets
cd secrets

# put NAME OWNER TEXT
put() {
  [ -e "$1" ] && return
  printf '%s\n' "$3" >"$1.new"
  chown "$2" "$1.new"
  chmod 400 "$1.new"
  mv "$1.new" "$1"
}

postgres=999:999
service=10001:10001
put database-superuser-password $postgres "$(openssl rand -hex 32)"
put admin-tokens $service "$(openssl rand -base64 32)"
# Okta sends it as the header Authorization, word for word.
put okta-hook-secrets $service "Bearer $(openssl rand -base64 32)"
for each in migrate:carryover_migrate import:carryover_import hooks:carryover_hooks_account admin:carryover_admin_account \
  purge:carryover_purge_account provision:carryover_provision_account; do
  name=${each%%:*}
  put "$name-password" $postgres "$(openssl rand -hex 32)"
  put "$name-database-url" $service "postgresql://${each#*:}:$(cat "$name-password")@database:5432/carryover?sslmode=disable"
done
# Containers of other accounts pass through.
chmod 711 .
