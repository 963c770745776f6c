#!/bin/busybox sh
# Gives the agent a console, /proc, /sys and /dev. Staying behind as the first process, it keeps the
# machine from ending in a kernel panic without a word if the agent dies.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mkdir -p /dev/pts
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox mount -t tmpfs tmpfs /run
exec </dev/console >/dev/console 2>&1
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
# The kernel loads file systems and cipher modules through this.
echo /bin/modprobe >/proc/sys/kernel/modprobe
if [ -d /sys/firmware/efi ]; then
    modprobe -q efivarfs
    mount -t efivarfs efivarfs /sys/firmware/efi/efivars
fi
/bin/ironherd-agent run
echo "ironherd-agent: ended by itself with status $?, which it never should"
case " $(cat /proc/cmdline) " in
*" ironherd.shell "*) setsid cttyhack sh ;;
esac
sleep 10
poweroff -f
