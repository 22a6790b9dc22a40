#!/bin/sh
# Gives the accounts of deploy/roles.sql their passwords, when the database's volume is made. They stand in no argument, and
# log_statement is none.
set -eu
for each in migrate:carryover_migrate import:carryover_import hooks:carryover_hooks_account admin:carryover_admin_account \
  purge:carryover_purge_account provision:carryover_provision_account; do
  printf "alter role %s password '%s';\n" "${each#*:}" "$(cat "/run/secrets/${each%%:*}-password")"
done | psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname="$POSTGRES_DB"
