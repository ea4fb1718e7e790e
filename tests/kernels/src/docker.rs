//! The system calls that Docker's default seccomp profile refuses, where a program here could ask for them. The profile
//! lists what is allowed (github.com/moby/profiles, seccomp/default.json); what it allows with a capability only is refused, as containers have none of these.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Refused with EPERM. With CAP_SYS_PTRACE: the first three; with CAP_DAC_READ_SEARCH: open_by_handle_at; with CAP_SYS_ADMIN: those after it;
/// in no case: the last.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_fanotify_init,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
];

/// Replaces this process by `command`, under the profile.
pub fn exec(command: &[&str]) -> ExitCode {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    // The number is the first word of what the filter judges (struct seccomp_data).
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    let mut refuse = |call: libc::c_long, errno: i32| {
        filter.push(libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: call as u32,
        });
        filter.push(statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        ));
    };
    REFUSED.iter().for_each(|&call| refuse(call, libc::EPERM));
    // Its flags lie in memory, where no filter can see them.
    refuse(libc::SYS_clone3, libc::ENOSYS);
    filter.push(statement(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_ALLOW,
    ));
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the filter is alive; the kernel copies it. Containers are started with CAP_SYS_ADMIN, and so without no_new_privs.
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    if set != 0 {
        eprintln!("kernels docker: {}", std::io::Error::last_os_error());
        return ExitCode::from(125);
    }
    let error = Command::new(command[0]).args(&command[1..]).exec();
    eprintln!("kernels docker: {}: {error}", command[0]);
    ExitCode::from(127)
}
