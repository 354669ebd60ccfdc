// Starts programs without copying the page tables of this process and without holding up its main thread, for
// lib/repro/launch.ts.
//
// Node starts a program by fork, on the main thread, whose time grows with the memory of the process: 0.8 ms at 50 MB,
// 2.8 ms at 155 MB. Here each program has a thread of its own: it calls posix_spawn, which shares the
// memory until the program is in place, and then waits for the program's end. Node waits for its own children by their
// numbers, so neither takes the other's.
//
// It knows nothing of stages, and does not end what it started: the process group is the caller's to signal.
#include <fcntl.h>
#include <napi.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace {

// A descriptor given to a child must not lie among those it is copied onto.
constexpr int kAboveTheChilds = 16;
// Bytes of stack; all that its thread does is to start a program and to wait.
constexpr size_t kStack = 256 * 1024;

struct Program {
  std::string file;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=value
  std::string folder;
  std::vector<int> descriptors;  // the child's descriptor i is a copy of descriptors[i]; -1: /dev/null
};

std::vector<char*> pointersTo(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Returns 0 or an errno.
int start(Program& program, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);

  int error = posix_spawn_file_actions_addchdir_np(&actions, program.folder.c_str());
  for (size_t i = 0; i < program.descriptors.size() && error == 0; i++) {
    const int from = program.descriptors[i];
    error = from < 0 ? posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0)
                     : posix_spawn_file_actions_adddup2(&actions, from, i);
  }
  // As Node does it: no signal is blocked or ignored in the child, whatever this process does with it.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
  flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;  // macOS has no pipe2
#endif
  posix_spawnattr_setflags(&attributes, flags);

  const auto argv = pointersTo(program.arguments);
  const auto envp = pointersTo(program.environment);
  if (error == 0) error = posix_spawn(pid, program.file.c_str(), &actions, &attributes, argv.data(), envp.data());

  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

struct Task {
  Program program;
  Napi::ThreadSafeFunction report;
};

// Reports ("started", pid), then ("exit", status) or ("signal", number); or ("error", text) alone.
void tell(const Napi::ThreadSafeFunction& report, const char* what, int number) {
  report.BlockingCall([what, number](Napi::Env env, Napi::Function call) {
    call.Call({Napi::String::New(env, what), Napi::Number::New(env, number)});
  });
}

void* run(void* argument) {
  auto* task = static_cast<Task*>(argument);
  pid_t pid = 0;
  const int error = start(task->program, &pid);
  if (error != 0) {
    task->report.BlockingCall([error](Napi::Env env, Napi::Function call) {
      call.Call({Napi::String::New(env, "error"), Napi::String::New(env, std::strerror(error))});
    });
  } else {
    tell(task->report, "started", pid);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) tell(task->report, "exit", WEXITSTATUS(status));
    else tell(task->report, "signal", WTERMSIG(status));
  }
  task->report.Release();
  delete task;
  return nullptr;
}

// Strings that come as one, each ended by NUL: to fetch them one by one from JavaScript would take far longer.
std::vector<std::string> readStrings(const Napi::Value& value) {
  const std::string all = value.As<Napi::String>();
  std::vector<std::string> strings;
  for (size_t from = 0, end; (end = all.find('\0', from)) != std::string::npos; from = end + 1)
    strings.push_back(all.substr(from, end - from));
  return strings;
}

// () → [read, write]: the ends of a pipe that no child inherits unless it is given them.
Napi::Value makePipe(const Napi::CallbackInfo& info) {
  int ends[2];
#ifdef __linux__
  // At once: another program may be starting on its thread between two calls.
  const bool made = pipe2(ends, O_CLOEXEC) == 0;
#else
  const bool made = pipe(ends) == 0;
#endif
  if (!made) throw Napi::Error::New(info.Env(), std::string("pipe: ") + std::strerror(errno));
  auto result = Napi::Array::New(info.Env(), 2);
  for (uint32_t i = 0; i < 2; i++) {
    const int high = fcntl(ends[i], F_DUPFD_CLOEXEC, kAboveTheChilds);
    close(ends[i]);
    result.Set(i, high);
  }
  return result;
}

// (file, arguments, environment, working folder, descriptors, report): see Program, readStrings and Task.
void spawn(const Napi::CallbackInfo& info) {
  auto* task = new Task;
  task->program.file = info[0].As<Napi::String>();
  task->program.arguments = readStrings(info[1]);
  task->program.environment = readStrings(info[2]);
  task->program.folder = info[3].As<Napi::String>();
  const auto descriptors = info[4].As<Napi::Array>();
  for (uint32_t i = 0; i < descriptors.Length(); i++)
    task->program.descriptors.push_back(descriptors.Get(i).As<Napi::Number>());
  task->report = Napi::ThreadSafeFunction::New(info.Env(), info[5].As<Napi::Function>(), "spawn", 0, 1);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, task);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    task->report.Release();
    delete task;
    throw Napi::Error::New(info.Env(), std::string("no thread: ") + std::strerror(error));
  }
}

}  // namespace

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("pipe", Napi::Function::New(env, makePipe));
  exports.Set("spawn", Napi::Function::New(env, spawn));
  return exports;
}

NODE_API_MODULE(spawn, initialise)
