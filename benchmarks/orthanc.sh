#!/usr/bin/env bash
# The peer that we measure against: Debian trixie's Orthanc with its DICOMweb plugin, in a folder of its own.
# usage: orthanc.sh install ROOT | version ROOT | run ROOT HTTP_PORT DICOM_PORT      (as root)
#
# Every mount stands in a namespace that ends with its process, so that the folder can be removed at any time.
# `run` execs: signals and the process id are Orthanc's own. Its database, in ROOT/srv/db, is empty at each start.
set -euo pipefail
command=${1:-} root=${2:-}
if [ -z "$command" ] || [ -z "$root" ]; then sed -n 2,3p "$0"; exit 2; fi
if [ "${IN_NAMESPACE:-}" != yes ]; then
  IN_NAMESPACE=yes exec unshare --mount --propagation private bash "$0" "$@"
fi

case "$command" in
install)
  if [ -x "$root/usr/sbin/Orthanc" ]; then exit 0; fi
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase trixie "$root"
  # A machine that reaches Debian through a proxy says so here.
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
  # No package may start its service in here.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  mount --bind /proc "$root/proc"
  chroot "$root" apt-get update -q
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -q --no-install-recommends orthanc orthanc-dicomweb
  ;;
version)
  # shellcheck disable=SC2016
  chroot "$root" dpkg-query --show --showformat='${Package} ${Version}\n' orthanc orthanc-dicomweb
  ;;
run)
  mount --bind /proc "$root/proc"
  rm -rf "$root/srv/db"
  mkdir -p "$root/srv/db"
  cat >"$root/srv/orthanc.json" <<JSON
{
  "Name": "bench", "StorageDirectory": "/srv/db", "IndexDirectory": "/srv/db",
  "HttpPort": $3, "DicomPort": $4, "DicomAet": "ORTHANC",
  "RemoteAccessAllowed": true, "AuthenticationEnabled": false, "HttpThreadsCount": 50, "StableAge": 3,
  "DicomAlwaysAllowStore": true, "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true,
  "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
  "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}
}
JSON
  exec chroot "$root" Orthanc /srv/orthanc.json
  ;;
*) sed -n 2,3p "$0"; exit 2 ;;
esac
