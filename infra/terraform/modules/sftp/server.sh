#!/bin/bash
# Makes a fresh Debian the SFTP server, at every start, and changes nothing that is so already.
set -euo pipefail

disk=/dev/disk/by-id/google-kept
blkid "$disk" > /dev/null || mkfs.ext4 -q "$disk"
mkdir -p /srv/sftp
mountpoint -q /srv/sftp || mount -o nodev,nosuid,noexec "$disk" /srv/sftp

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes openssh-server python3 unattended-upgrades > /dev/null
cat > /etc/apt/apt.conf.d/52sftp <<'END'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "true";
Unattended-Upgrade::Automatic-Reboot-Time "00:00";
END

# The root of what the supplier sees is nobody's to write; the folder in it is.
id ${user} > /dev/null 2>&1 || useradd --password '*' --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ${user}
install -d -m 755 /srv/sftp/home
install -d -m 755 -o ${user} -g ${user} /srv/sftp/home/in
install -d -m 700 /srv/sftp/delivered /srv/sftp/refused /srv/sftp/keys
[ -e /srv/sftp/keys/ed25519 ] || ssh-keygen -q -t ed25519 -N "" -C sftp -f /srv/sftp/keys/ed25519
[ -e /srv/sftp/keys/rsa ] || ssh-keygen -q -t rsa -b 4096 -N "" -C sftp -f /srv/sftp/keys/rsa

cat > /etc/ssh/sftp_keys <<'END'
${keys}
END
cat > /etc/ssh/sshd_config.d/00-sftp.conf <<'END'
HostKey /srv/sftp/keys/ed25519
HostKey /srv/sftp/keys/rsa
AllowUsers ${user}
AuthenticationMethods publickey
AuthorizedKeysCommand none
AuthorizedKeysFile /etc/ssh/sftp_keys
ChrootDirectory /srv/sftp/home
ClientAliveInterval 60
DisableForwarding yes
ForceCommand internal-sftp -d /in -l INFO -u 0022
KbdInteractiveAuthentication no
LoginGraceTime 20
MaxAuthTries 3
PasswordAuthentication no
PermitRootLogin no
PermitTTY no
PermitTunnel no
PermitUserRC no
END
sshd -t
systemctl restart ssh

cat > /usr/local/lib/deliver.py <<'END'
${deliver}
END
cat > /etc/systemd/system/deliver.service <<'END'
[Unit]
Description=Brings files into the bucket
RequiresMountsFor=/srv/sftp

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /usr/local/lib/deliver.py ${bucket} /srv/sftp
END
cat > /etc/systemd/system/deliver.timer <<'END'
[Timer]
OnBootSec=1min
OnUnitInactiveSec=1min

[Install]
WantedBy=timers.target
END
systemctl daemon-reload
systemctl enable --now deliver.timer

# What the supplier is told, shown by: gcloud compute instances get-serial-port-output sftp
for key in ed25519 rsa; do ssh-keygen -lf "/srv/sftp/keys/$key.pub"; done
