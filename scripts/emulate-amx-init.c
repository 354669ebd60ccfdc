/*
 * The init process of the machine that emulate-amx.ts emulates. It runs native/engine/exercise/exercise.cpp, prints its
 * exit status, and powers off.
 */
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int main(void) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    execl("/exercise", "exercise", "avx512bf16", "amx", (char*)NULL);
    _exit(127);
  }
  waitpid(child, &status, 0);
  printf("exercise ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  fflush(stdout);
  /* Wait until the emulated serial line has sent all output. */
  tcdrain(STDOUT_FILENO);
  sleep(1);
  return reboot(RB_POWER_OFF);
}
