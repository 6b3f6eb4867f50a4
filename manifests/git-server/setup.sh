#!/bin/sh
# Makes the accounts, the organisation and the repository that are not there yet; run as often as you like.
set -eu
umask 077
server=http://git-server:3000
repository=driftless/driftless

until curl -fs -o /dev/null "$server/api/healthz"; do sleep 1; done

# In files, not in arguments: whoever may list processes of the node sees arguments.
netrc() { printf 'machine git-server\nlogin %s\npassword %s\n' "$1" "$2"; }
netrc "$ADMIN_USERNAME" "$ADMIN_PASSWORD" > /tmp/admin
netrc "$ROBOT_USERNAME" "$ROBOT_PASSWORD" > /tmp/robot

# call WHO METHOD PATH [BODY]
call() {
  curl -fsS -o /dev/null --netrc-file "/tmp/$1" -X "$2" "$server/api/v1/$3" \
    ${4:+-H "Content-Type: application/json" -d "$4"}
}
has() { call "$1" GET "$2" 2> /dev/null; }
accounts() { gitea --config "$GITEA_APP_INI" admin user "$@"; }

# The first administrator can only be made beside the server, in its database; so the password is an
# argument once, in a pod that lives for a second.
has admin user ||
  accounts create --admin --username "$ADMIN_USERNAME" --password "$ADMIN_PASSWORD" \
    --email "$ADMIN_USERNAME@driftless.invalid" --must-change-password=false ||
  accounts change-password --username "$ADMIN_USERNAME" --password "$ADMIN_PASSWORD" --must-change-password=false
has robot user ||
  accounts create --username "$ROBOT_USERNAME" --password "$ROBOT_PASSWORD" \
    --email "$ROBOT_USERNAME@driftless.invalid" --must-change-password=false ||
  accounts change-password --username "$ROBOT_USERNAME" --password "$ROBOT_PASSWORD" --must-change-password=false

has admin "orgs/${repository%/*}" ||
  call admin POST orgs "{\"username\": \"${repository%/*}\", \"visibility\": \"public\"}"
has admin "repos/$repository" ||
  call admin POST "orgs/${repository%/*}/repos" "{\"name\": \"${repository#*/}\", \"default_branch\": \"main\"}"
call admin PUT "repos/$repository/collaborators/$ROBOT_USERNAME" '{"permission": "write"}'
echo "$repository is ready"
