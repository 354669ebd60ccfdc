/**
 * Tests the native engine's bf16 products of AVX512_BF16 and AMX without a CPU that has them. Bochs emulates a Sapphire
 * Rapids, boots Linux on it, and runs everything that the engine does (native/engine/exercise/exercise.cpp).
 *
 *     sh scripts/build-bochs.sh SOURCES DIR
 *     BOCHS=DIR [KERNEL=FILE] npx tsx scripts/emulate-amx.ts
 *
 * KERNEL is a Linux kernel of version 5.16 or newer, for example from Debian's package linux-image-cloud-amd64. The
 * default is the newest one in /boot. The script also needs Debian's isolinux, syslinux-common, xorriso and cpio, and
 * g++ 11 or newer. It takes some minutes.
 *
 * It shows four things, and does not measure speed:
 * - The feature bits, and Linux's permission to use tile data, select these kernels.
 * - Products match their definition.
 * - Gradients of whole models are within 1 % of those of the generic kernels.
 * - Runs repeat themselves bit for bit.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, cd, glob } from 'zx';

const TIME_LIMIT = '60m';
/** Compiler flags of each instruction set. The sources of the two bf16 sets widen their target themselves. */
const avx2 = ['-mavx2', '-mfma'];
const avx512 = [...avx2, '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl'];
const kernels = { generic: [], avx2, avx512, avx512bf16: avx512, amx: avx512 };
const flags = ['-std=gnu++17', '-O2', '-w', '-DENGINE_X64', '-static', '-I.'];
const kernelFlags = ['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'];
/**
 * - clearcpuid=fsrm: Bochs reports fast short moves but turns fast strings off. Linux then uses a memmove that never
 *   ends.
 * - no5lvl: the system management mode of Bochs does not return with five levels of page tables.
 * - panic=-1: a panic ends the emulation.
 */
const kernelParameters = 'console=ttyS0 rdinit=/init loglevel=4 clearcpuid=fsrm no5lvl panic=-1 reboot=triple';

const bochs = process.env.BOCHS;
const kernel = process.env.KERNEL ?? (await glob('/boot/vmlinuz-*')).sort().at(-1);
if (!bochs || !kernel) {
  console.error(
    `${bochs ? 'KERNEL' : 'BOCHS'} is not set; it must name ${bochs ? 'a Linux kernel' : 'the folder that build-bochs.sh built'}`,
  );
  process.exit(2);
}
const scripts = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const folder = await mkdtemp(join(tmpdir(), 'amx-'));
$.verbose = false;
$.quiet = true;

cd(join(scripts, '../native/engine'));
const root = join(folder, 'root');
await mkdir(root);
for (const [set, more] of Object.entries(kernels))
  await $`g++ ${flags} ${kernelFlags} ${more} -c kernels/${set}.cpp -o ${folder}/${set}.o`;
const objects = Object.keys(kernels).map((set) => `${folder}/${set}.o`);
await $`g++ ${flags} exercise/exercise.cpp kernels/choose.cpp ${await glob('src/*.cpp')} ${objects} -o ${root}/exercise -lpthread`;
await $`g++ -x c -w -O1 -static ${scripts}/emulate-amx-init.c -o ${root}/init`;

const disc = join(folder, 'disc');
await mkdir(join(disc, 'isolinux'), { recursive: true });
await $({ cwd: root })`find . | cpio --create --quiet --format=newc > ${disc}/root.cpio`;
await copyFile(kernel, join(disc, 'vmlinuz'));
await copyFile('/usr/lib/ISOLINUX/isolinux.bin', join(disc, 'isolinux/isolinux.bin'));
await copyFile('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(disc, 'isolinux/ldlinux.c32'));
await writeFile(
  join(disc, 'isolinux/isolinux.cfg'),
  `DEFAULT linux\nLABEL linux\nKERNEL /vmlinuz\nINITRD /root.cpio\nAPPEND ${kernelParameters}\n`,
);
const boot = ['-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size', '4'];
await $`xorriso -as mkisofs -quiet ${boot} -boot-info-table -o ${folder}/disc.iso ${disc}`;

const consoleLog = join(folder, 'console.txt');
await writeFile(
  join(folder, 'bochsrc'),
  `display_library: nogui
cpu: model=sapphire_rapids, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
megs: 512
clock: sync=none
romimage: file=${bochs}/bios/bios.bin-1.13.0
vgaromimage: file=${bochs}/bios/vgabios-cirrus.bin-1.13.0
vga: extension=cirrus
ata0-master: type=cdrom, path=${folder}/disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=${consoleLog}
log: ${folder}/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
`,
);
await $({ nothrow: true, timeout: TIME_LIMIT })`${bochs}/bochs -q -f ${folder}/bochsrc`;
const lines = (await readFile(consoleLog, 'utf8').catch(() => '')).trim();
console.log(lines || `no output; ${await readFile(join(folder, 'bochs.log'), 'utf8').catch(() => 'no log')}`);
await rm(folder, { recursive: true });
process.exitCode = /^exercise ended with 0\r?$/m.test(lines) ? 0 : 1;
