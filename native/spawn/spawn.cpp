// Runs shell commands for lib/repro/processes, without copying the page tables of this process and without blocking its
// main thread. launch-with-addon.ts calls this addon. launch-with-node.ts is the reference implementation without it.
//
// Node starts a program by fork on the main thread. The time of a fork grows with the memory of the process: 0.8 ms at
// 50 MB, 2.8 ms at 155 MB. Node makes a stream for each pipe, which costs as much again. Here each program has its own
// thread, which
//
//   1. makes the pipes
//   2. starts the program by posix_spawn, which copies no page tables
//   3. notes the process group in a file, then opens the gate that the shell waits at
//   4. reports output as it comes
//   5. when the program has ended: kills the rest of its group, notes its removal, reports the end
//
// For a program without output, the main thread is called once: at the program's end. Node and this addon both wait for
// their children by process id, so neither reaps a child of the other.
#include <fcntl.h>
#include <napi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

extern char** environ;

namespace {

// The child's file descriptors. 0 is /dev/null, 1 and 2 are one pipe.
constexpr int kProgress = 3;
constexpr int kGate = 4;
// Pipe ends get this number or a higher one, so that none collides with the numbers 0 to 4 of the child.
constexpr int kMinDescriptor = 16;
// Bytes of a thread's stack. The read buffer takes a quarter of it.
constexpr size_t kStackSize = 256 * 1024;
constexpr size_t kReadSize = 64 * 1024;
// Reports that may wait for the main thread. A thread that makes one more waits itself.
constexpr size_t kQueueLength = 64;
// Milliseconds that output is still read after the end, while killed processes of the group disappear.
constexpr int kLinger = 500;
// Milliseconds between checks whether a program has ended, on systems without pidfd_open.
constexpr int kPollInterval = 20;

struct Program {
  std::string file;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=value
  std::string folder;
};

// A file descriptor that is closed when this goes out of scope.
struct Descriptor {
  int number = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() { shut(); }
  void shut() {
    if (number >= 0) close(number);
    number = -1;
  }
};

// Appends a line by one write.
void append(int descriptor, const std::string& line) {
  while (write(descriptor, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

// A process group, which may be signalled from the start of its leader until the leader has been reaped. The lock keeps
// a signal from reaching a group whose id has been reused.
class Group {
 public:
  pid_t number() {
    std::lock_guard<std::mutex> guard(mutex_);
    return number_;
  }

  // A signal before the start is kept and sent at the start.
  void signal(int signal) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (number_ > 0)
      kill(-number_, signal);
    else if (!ended_)
      pendingSignal_ = signal;
  }

  void begin(pid_t number) {
    std::lock_guard<std::mutex> guard(mutex_);
    number_ = number;
    if (pendingSignal_ != 0) kill(-number_, pendingSignal_);
  }

  // Kills the rest of the group and reaps its leader, which must have ended. Returns the leader's status. `isEmpty` is
  // set to whether no other process was in the group.
  int end(bool* isEmpty) {
    std::lock_guard<std::mutex> guard(mutex_);
    kill(-number_, SIGKILL);
    int status = 0;
    while (waitpid(number_, &status, 0) < 0 && errno == EINTR) {
    }
    *isEmpty = kill(-number_, 0) != 0 && errno == ESRCH;
    number_ = 0;
    ended_ = true;
    return status;
  }

 private:
  std::mutex mutex_;
  pid_t number_ = 0;
  int pendingSignal_ = 0;
  bool ended_ = false;
};

struct Task {
  Program program;
  int groupsFd;  // where process groups are noted
  std::shared_ptr<Group> group = std::make_shared<Group>();
  Napi::ThreadSafeFunction report;
};

// A pipe that children do not inherit (close-on-exec).
struct Pipe {
  Descriptor read, write;

  // Returns 0 or an errno.
  int open() {
    int ends[2];
#ifdef __linux__
    // Pipe and flag in one call, because another thread may start a program between two calls.
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
#else
    if (pipe(ends) != 0) return errno;
#endif
    Descriptor* const own[] = {&read, &write};
    int error = 0;
    for (int i = 0; i < 2; i++) {
      own[i]->number = fcntl(ends[i], F_DUPFD_CLOEXEC, kMinDescriptor);
      if (own[i]->number < 0) error = errno;
      close(ends[i]);
    }
    return error;
  }
};

std::vector<char*> pointersTo(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Starts a program in a new session. Returns 0 or an errno.
int start(Program& program, int output, int progress, int gate, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);

  int error = posix_spawn_file_actions_addchdir_np(&actions, program.folder.c_str());
  if (error == 0) error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  const int copies[][2] = {{output, 1}, {output, 2}, {progress, kProgress}, {gate, kGate}};
  for (const auto& [from, to] : copies)
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, from, to);
  // As in Node, no signal is blocked or ignored in the child, even if this process blocks or ignores it.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
  flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;  // because macOS has no pipe2
#endif
  posix_spawnattr_setflags(&attributes, flags);

  const auto argv = pointersTo(program.arguments);
  const auto envp = pointersTo(program.environment);
  if (error == 0) error = posix_spawn(pid, program.file.c_str(), &actions, &attributes, argv.data(), envp.data());

  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

// The start time of a new process, as startTimeOfNew in process-table.ts: field 22 of /proc/PID/stat, see
// proc_pid_stat(5). Without /proc, the current time.
std::string startTimeOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return std::to_string(std::time(nullptr));
  // Field 2, the name, is in parentheses and may contain anything, parentheses too.
  size_t at = stat.rfind(')') + 1;
  for (int field = 3; field < 22; field++) at = stat.find(' ', at + 1);
  return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

// Calls report(what, bytes) on the main thread.
void send(const Napi::ThreadSafeFunction& report, const char* what, std::string bytes) {
  auto* piece = new std::string(std::move(bytes));
  const auto call = [what](Napi::Env env, Napi::Function call, std::string* piece) {
    call.Call({Napi::String::New(env, what), Napi::Buffer<char>::Copy(env, piece->data(), piece->size())});
    delete piece;
  };
  if (report.BlockingCall(piece, call) != napi_ok) delete piece;
}

// Calls report(what, number) on the main thread.
void send(const Napi::ThreadSafeFunction& report, const char* what, int number) {
  report.BlockingCall([what, number](Napi::Env env, Napi::Function call) {
    call.Call({Napi::String::New(env, what), Napi::Number::New(env, number)});
  });
}

// Whether a process has ended. It is not reaped, so its id is not reused.
bool hasEnded(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

// The reading end of one of a program's pipes. `what` is its name in reports.
struct Channel {
  Descriptor& from;
  const char* what;
  const Napi::ThreadSafeFunction& report;

  // Reads once and reports the bytes. Called when poll says that reading does not block.
  void forward() {
    char piece[kReadSize];
    const ssize_t length = read(from.number, piece, sizeof piece);
    if (length > 0)
      send(report, what, std::string(piece, length));
    else if (length == 0 || errno != EINTR)
      from.shut();
  }
};

// Forwards output until the program `pid` has ended. With pid 0: until both pipes are closed by all processes that have
// them. Returns after `limit` milliseconds at the latest; -1 means no limit.
void forwardOutput(pid_t pid, Channel output, Channel progress, int limit) {
  Descriptor end;
#ifdef SYS_pidfd_open
  if (pid > 0) end.number = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
#endif
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::milliseconds(limit);
  const bool mustPoll = pid > 0 && end.number < 0;
  while (pid > 0 || output.from.number >= 0 || progress.from.number >= 0) {
    pollfd watched[] = {{output.from.number, POLLIN, 0}, {progress.from.number, POLLIN, 0}, {end.number, POLLIN, 0}};
    int timeout = mustPoll ? kPollInterval : -1;
    if (limit >= 0) timeout = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    const int ready = poll(watched, 3, std::max(timeout, limit >= 0 ? 0 : -1));
    if (watched[0].revents != 0) output.forward();
    if (watched[1].revents != 0) progress.forward();
    if ((watched[2].revents != 0 || mustPoll) && hasEnded(pid)) return;
    if (ready == 0 && limit >= 0) return;
  }
}

void runProgram(Task& task) {
  const auto& report = task.report;
  Pipe output, progress, gate;
  pid_t pid = 0;
  int error = 0;
  for (Pipe* pipe : {&output, &progress, &gate})
    if (error == 0) error = pipe->open();
  if (error == 0) error = start(task.program, output.write.number, progress.write.number, gate.read.number, &pid);
  if (error != 0) {
    send(report, "error", std::string(std::strerror(error)));
    return;
  }
  output.write.shut();
  progress.write.shut();
  gate.read.shut();
  append(task.groupsFd, "add " + std::to_string(pid) + " " + startTimeOf(pid) + "\n");
  task.group->begin(pid);
  append(gate.write.number, "\n");  // Has no effect if the program has been killed already.
  gate.write.shut();
  Channel outputChannel{output.read, "output", report}, progressChannel{progress.read, "progress", report};
  forwardOutput(pid, outputChannel, progressChannel, -1);
  bool isEmpty = false;
  const int status = task.group->end(&isEmpty);
  // Processes of the group keep the pipes open until they are gone. If there were none, all output is in the pipes by
  // now.
  forwardOutput(0, outputChannel, progressChannel, isEmpty ? 0 : kLinger);
  append(task.groupsFd, "remove " + std::to_string(pid) + "\n");
  if (WIFEXITED(status))
    send(report, "exit", WEXITSTATUS(status));
  else
    send(report, "signal", WTERMSIG(status));
}

void* run(void* argument) {
  const std::unique_ptr<Task> task(static_cast<Task*>(argument));
  runProgram(*task);
  task->report.Release();
  return nullptr;
}

// Splits a text that consists of strings, each ended by NUL. Reading an array from JavaScript would take far longer.
std::vector<std::string> readStrings(const Napi::Value& value) {
  const std::string all = value.As<Napi::String>();
  std::vector<std::string> strings;
  for (size_t from = 0, end; (end = all.find('\0', from)) != std::string::npos; from = end + 1)
    strings.push_back(all.substr(from, end - from));
  return strings;
}

// The environment of this process with `changes` (NAME=value) applied.
std::vector<std::string> environmentWith(std::vector<std::string> changes) {
  const size_t count = changes.size();
  for (char** own = environ; *own != nullptr; own++) {
    const char* const value = std::strchr(*own, '=');
    const size_t length = value == nullptr ? std::strlen(*own) : value - *own + 1;
    const auto isOfThatName = [&](const std::string& change) { return change.compare(0, length, *own, length) == 0; };
    if (std::none_of(changes.begin(), changes.begin() + count, isOfThatName)) changes.emplace_back(*own);
  }
  return changes;
}

using SharedGroup = std::shared_ptr<Group>;

// spawn(file, arguments, changes to the environment, working folder, groupsFd, report) → group
//
// For the form of arguments and changes see readStrings. `groupsFd` is the file descriptor that process groups are
// noted on. `report` is called with ("output" | "progress", bytes) as they come. The last call is ("exit", status) or
// ("signal", number). If the program could not be started, the only call is ("error", reason).
Napi::Value spawn(const Napi::CallbackInfo& info) {
  auto task = std::make_unique<Task>();
  task->program.file = info[0].As<Napi::String>();
  task->program.arguments = readStrings(info[1]);
  task->program.environment = environmentWith(readStrings(info[2]));
  task->program.folder = info[3].As<Napi::String>();
  task->groupsFd = info[4].As<Napi::Number>();
  task->report = Napi::ThreadSafeFunction::New(info.Env(), info[5].As<Napi::Function>(), "spawn", kQueueLength, 1);
  const auto group = task->group;

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, task.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    task->report.Release();
    throw Napi::Error::New(info.Env(), std::string("no thread: ") + std::strerror(error));
  }
  task.release();
  return Napi::External<SharedGroup>::New(info.Env(), new SharedGroup(group),
                                          [](Napi::Env, SharedGroup* group) { delete group; });
}

SharedGroup groupIn(const Napi::Value& value) { return *value.As<Napi::External<SharedGroup>>().Data(); }

// numberOf(group) → its process group id; 0 before the start and after the end
Napi::Value numberOf(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), groupIn(info[0])->number());
}

// signal(group, signal number)
void signalGroup(const Napi::CallbackInfo& info) { groupIn(info[0])->signal(info[1].As<Napi::Number>().Int32Value()); }

}  // namespace

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("spawn", Napi::Function::New(env, spawn));
  exports.Set("numberOf", Napi::Function::New(env, numberOf));
  exports.Set("signal", Napi::Function::New(env, signalGroup));
  return exports;
}

NODE_API_MODULE(spawn, initialise)
