// Runs shell commands for lib/repro/launch.ts without copying the page tables of this process and without holding up
// its main thread.
//
// Node starts a program by fork, on the main thread, whose time grows with the memory of the process: 0.8 ms at 50 MB,
// 2.8 ms at 155 MB; and each pipe to it is a stream, which costs as much again. Here each program has a thread of its
// own:
//
//   pipes → posix_spawn, which shares the memory until the program is in place → its group noted down → gate opened
//   → what it says handed on, as it comes → ended: what it left in its group killed, the note crossed out → its end
//   told
//
// The main thread hears of a program that says nothing once, when all is over. Node waits for its own children by their
// numbers, so neither takes the other's. launch-by-node.ts does the same without this addon, and is the reference.
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
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

extern char** environ;

namespace {

// The child's descriptors: none to read, output and errors in one, and these two.
constexpr int kProgress = 3;
constexpr int kGate = 4;
// A descriptor given to a child must not lie among those it is copied onto.
constexpr int kAboveTheChilds = 16;
// Bytes of stack, of which a quarter is for what is read.
constexpr size_t kStack = 256 * 1024;
constexpr size_t kPiece = 64 * 1024;
// Pieces that wait for the main thread before a thread waits for it.
constexpr size_t kQueue = 64;
// Milliseconds that what was killed may take to be gone.
constexpr int kLinger = 500;
// Milliseconds between looks at whether a program has ended, where the system cannot tell.
constexpr int kLook = 20;

struct Program {
  std::string file;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=value
  std::string folder;
};

// Closed when it goes out of scope.
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

// Appends a line in one piece.
void append(int descriptor, const std::string& line) {
  while (write(descriptor, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

// A process that leads a group, as far as it may be signalled: from its start until its number is given up.
class Group {
 public:
  pid_t number() {
    std::lock_guard<std::mutex> guard(mutex_);
    return number_;
  }

  // What comes before the start is sent at the start.
  void signal(int signal) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (number_ > 0)
      kill(-number_, signal);
    else if (!ended_)
      wanted_ = signal;
  }

  void begin(pid_t number) {
    std::lock_guard<std::mutex> guard(mutex_);
    number_ = number;
    if (wanted_ != 0) kill(-number_, wanted_);
  }

  // Returns the status of the leader, which has ended, and gives up its number. What it left in its group is killed;
  // `isEmpty` says whether that was nothing.
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
  int wanted_ = 0;
  bool ended_ = false;
};

struct Task {
  Program program;
  int notes;  // a descriptor
  std::shared_ptr<Group> group = std::make_shared<Group>();
  Napi::ThreadSafeFunction report;
};

// A pipe that no child inherits unless it is given an end of it.
struct Pipe {
  Descriptor read, write;

  // Returns 0 or an errno.
  int open() {
    int ends[2];
#ifdef __linux__
    // At once: another program may be starting on its thread between two calls.
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
#else
    if (pipe(ends) != 0) return errno;
#endif
    Descriptor* const mine[] = {&read, &write};
    int error = 0;
    for (int i = 0; i < 2; i++) {
      mine[i]->number = fcntl(ends[i], F_DUPFD_CLOEXEC, kAboveTheChilds);
      if (mine[i]->number < 0) error = errno;
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

// Starts a program that leads a session of its own. Returns 0 or an errno.
int start(Program& program, int output, int progress, int gate, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);

  int error = posix_spawn_file_actions_addchdir_np(&actions, program.folder.c_str());
  if (error == 0) error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  const int given[][2] = {{output, 1}, {output, 2}, {progress, kProgress}, {gate, kGate}};
  for (const auto& [from, to] : given)
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, from, to);
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

// When a process started, as groups.ts has it: the 22nd field of /proc/PID/stat.
std::string startOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return "alive";
  // The name, which is the 2nd, stands in parentheses and may hold anything.
  size_t at = stat.rfind(')') + 1;
  for (int field = 3; field < 22; field++) at = stat.find(' ', at + 1);
  return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

void tell(const Napi::ThreadSafeFunction& report, const char* what, std::string bytes) {
  auto* piece = new std::string(std::move(bytes));
  const auto call = [what](Napi::Env env, Napi::Function call, std::string* piece) {
    call.Call({Napi::String::New(env, what), Napi::Buffer<char>::Copy(env, piece->data(), piece->size())});
    delete piece;
  };
  if (report.BlockingCall(piece, call) != napi_ok) delete piece;
}

void tell(const Napi::ThreadSafeFunction& report, const char* what, int number) {
  report.BlockingCall([what, number](Napi::Env env, Napi::Function call) {
    call.Call({Napi::String::New(env, what), Napi::Number::New(env, number)});
  });
}

// Whether a process has ended; its number stays its own.
bool hasEnded(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

// What a program says, and on which channel.
struct Channel {
  Descriptor& from;
  const char* what;
  const Napi::ThreadSafeFunction& report;

  // Hands on what there is by now, after poll has said that there is something.
  void hear() {
    char piece[kPiece];
    const ssize_t length = read(from.number, piece, sizeof piece);
    if (length > 0)
      tell(report, what, std::string(piece, length));
    else if (length == 0 || errno != EINTR)
      from.shut();
  }
};

// Hands on what a program says: until it has ended, or, with pid 0, as long as somebody holds its channels. Returns
// after `limit` milliseconds at the latest; -1 is for ever.
void attend(pid_t pid, Channel output, Channel progress, int limit) {
  Descriptor end;
#ifdef SYS_pidfd_open
  if (pid > 0) end.number = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
#endif
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::milliseconds(limit);
  const bool mustLook = pid > 0 && end.number < 0;
  while (pid > 0 || output.from.number >= 0 || progress.from.number >= 0) {
    pollfd watched[] = {{output.from.number, POLLIN, 0}, {progress.from.number, POLLIN, 0}, {end.number, POLLIN, 0}};
    int timeout = mustLook ? kLook : -1;
    if (limit >= 0) timeout = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    const int ready = poll(watched, 3, std::max(timeout, limit >= 0 ? 0 : -1));
    if (watched[0].revents != 0) output.hear();
    if (watched[1].revents != 0) progress.hear();
    if ((watched[2].revents != 0 || mustLook) && hasEnded(pid)) return;
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
    tell(report, "error", std::string(std::strerror(error)));
    return;
  }
  output.write.shut();
  progress.write.shut();
  gate.read.shut();
  append(task.notes, "add " + std::to_string(pid) + " " + startOf(pid) + "\n");
  task.group->begin(pid);
  append(gate.write.number, "\n");  // In vain if it was killed there.
  gate.write.shut();
  Channel said{output.read, "output", report}, told{progress.read, "progress", report};
  attend(pid, said, told, -1);
  bool isEmpty = false;
  const int status = task.group->end(&isEmpty);
  // What was in the group holds its channels until it is gone; without any, what is left to hear is there by now.
  attend(0, said, told, isEmpty ? 0 : kLinger);
  append(task.notes, "remove " + std::to_string(pid) + "\n");
  if (WIFEXITED(status))
    tell(report, "exit", WEXITSTATUS(status));
  else
    tell(report, "signal", WTERMSIG(status));
}

void* run(void* argument) {
  const std::unique_ptr<Task> task(static_cast<Task*>(argument));
  runProgram(*task);
  task->report.Release();
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

// This process's own environment with `changes` (NAME=value) put in.
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

// (file, arguments, changes to the environment, working folder, notes, report) → the group: see Program and
// readStrings. `notes` is a descriptor; `report` is called with ("output" | "progress", bytes) as they come, and at
// last with ("exit", status) or
// ("signal", number), or with ("error", why it could not be started) alone.
Napi::Value spawn(const Napi::CallbackInfo& info) {
  auto task = std::make_unique<Task>();
  task->program.file = info[0].As<Napi::String>();
  task->program.arguments = readStrings(info[1]);
  task->program.environment = environmentWith(readStrings(info[2]));
  task->program.folder = info[3].As<Napi::String>();
  task->notes = info[4].As<Napi::Number>();
  task->report = Napi::ThreadSafeFunction::New(info.Env(), info[5].As<Napi::Function>(), "spawn", kQueue, 1);
  const auto group = task->group;

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStack);
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

// (group) → its number, 0 before it has started and after it has ended
Napi::Value numberOf(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), groupIn(info[0])->number());
}

// (group, number of a signal)
void signalGroup(const Napi::CallbackInfo& info) { groupIn(info[0])->signal(info[1].As<Napi::Number>().Int32Value()); }

}  // namespace

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("spawn", Napi::Function::New(env, spawn));
  exports.Set("numberOf", Napi::Function::New(env, numberOf));
  exports.Set("signal", Napi::Function::New(env, signalGroup));
  return exports;
}

NODE_API_MODULE(spawn, initialise)
