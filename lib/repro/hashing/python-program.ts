/**
 * The Python program that follows the imports of Python entries. python-modules.ts passes it to python3, with a request
 * as JSON on its standard input. It only parses the project's files, by Python's own `ast`, and runs none of them.
 *
 *   {"root": "/project", "entries": {"stages/train.py": ["stages", ".", "src"]}}     an entry: folders to search
 *   {"stages/train.py": {"modules": ["stages/train.py", …], "folders": ["stages", …]}}          the answer
 *   {"stages/train.py": {"file": "lib/a.py", "line": 3, "column": 5, "message": "invalid syntax"}}   or an error
 *
 * `folders` are all folders that it looked into: a new file in one of them may take over an import.
 */
export const PYTHON_PROGRAM = `
import ast, json, os, sys

request = json.loads(sys.stdin.buffer.read())
root = request["root"]
os.chdir(root)
sys.setrecursionlimit(20000)

def join(*parts):
    return os.path.normpath(os.path.join(*parts))

listings = {}

def names(folder):
    if folder not in listings:
        try:
            listings[folder] = set(os.listdir(folder))
        except OSError:
            listings[folder] = set()
    return listings[folder]

def is_inside(folder):
    return not folder.startswith("..") and not os.path.isabs(folder) and "site-packages" not in folder.split(os.sep)

def dotted(node):
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return before and before + "." + node.attr
    return None

def evaluate(node, file, assigned, depth=0):
    """The path that an expression such as Path(__file__).parent / "lib" gives; None if it is not understood."""
    again = lambda other: evaluate(other, file, assigned, depth + 1) if depth < 50 else None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        if node.id == "__file__":
            return os.path.abspath(file)
        return again(assigned[node.id]) if node.id in assigned else None
    if isinstance(node, ast.Attribute):
        if node.attr == "parent":
            path = again(node.value)
            return None if path is None else os.path.dirname(path)
        return os.pardir if dotted(node) == "os.pardir" else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
        left, right = again(node.left), again(node.right)
        if left is None or right is None:
            return None
        return os.path.join(left, right) if isinstance(node.op, ast.Div) else left + right
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
        path, index = again(node.value.value), getattr(node.slice, "value", None)
        if path is None or type(index) is not int:
            return None
        for _ in range(index + 1):
            path = os.path.dirname(path)
        return path
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        values = [again(argument) for argument in node.args]
        if name in ("resolve", "absolute", "as_posix", "joinpath") and isinstance(node.func, ast.Attribute):
            values.insert(0, again(node.func.value))
        if not values or None in values:
            return None
        if name == "dirname":
            return os.path.dirname(values[0])
        if name in ("join", "joinpath", "Path", "PurePath"):
            return os.path.join(*values)
        if name in ("abspath", "realpath", "normpath", "str", "fspath", "resolve", "absolute", "as_posix"):
            return values[0]
    return None

class Source:
    """What one file imports: (level, parts of the name, names after "from … import"), and its changes of sys.path."""

    def __init__(self, file):
        self.imports, self.paths, self.all = [], [], []
        assigned = {}
        with open(file, "rb") as opened:
            tree = ast.parse(opened.read(), file)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                assigned[node.targets[0].id] = node.value
            if isinstance(node, (ast.Assign, ast.AugAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                    constants = [getattr(item, "value", None) for item in getattr(node.value, "elts", [])]
                    self.all += [name for name in constants if isinstance(name, str)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.imports += [(0, alias.name.split("."), []) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parts = node.module.split(".") if node.module else []
                self.imports.append((node.level, parts, [alias.name for alias in node.names]))
            elif isinstance(node, ast.Call):
                self.call(node, file, assigned)
            elif isinstance(node, (ast.Assign, ast.AugAssign)):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if dotted(target) in ("sys.path", "path"):
                    items = [item for item in ast.walk(node.value) if isinstance(item, ast.List)]
                    self.add_paths([each for item in items for each in item.elts], file, assigned)

    def call(self, node, file, assigned):
        name = dotted(node.func) or ""
        if name in ("importlib.import_module", "import_module", "__import__") and node.args:
            module = getattr(node.args[0], "value", None)
            if isinstance(module, str) and module.strip("."):
                level = len(module) - len(module.lstrip("."))
                self.imports.append((level, module.lstrip(".").split("."), []))
        elif name in ("sys.path.append", "sys.path.insert", "path.append", "path.insert", "site.addsitedir"):
            self.add_paths(node.args[-1:], file, assigned)
        elif name in ("sys.path.extend", "path.extend") and node.args:
            self.add_paths(getattr(node.args[0], "elts", []), file, assigned)

    def add_paths(self, nodes, file, assigned):
        found = [evaluate(node, file, assigned) for node in nodes]
        self.paths += [path for path in found if path is not None]

sources = {}

def source(file):
    if file not in sources:
        sources[file] = Source(file)
    return sources[file]

class Closure:
    """The modules behind one entry."""

    def __init__(self, entry, search):
        self.search = list(search)
        while True:
            self.modules, self.folders, self.queue = set(), set(), []
            before = len(self.search)
            self.add(entry)
            self.packages_above(os.path.dirname(entry) or ".")
            while self.queue:
                self.follow(self.queue.pop())
            if len(self.search) == before:
                break

    def names(self, folder):
        self.folders.add(folder)
        return names(folder)

    def add(self, file):
        if file not in self.modules:
            self.modules.add(file)
            if file.endswith(".py"):
                self.queue.append(file)

    def packages_above(self, folder):
        """Importing a module runs the __init__.py of each package above it."""
        while is_inside(folder) and "__init__.py" in self.names(folder):
            self.add(join(folder, "__init__.py"))
            if folder == ".":
                break
            folder = os.path.dirname(folder) or "."

    def visit(self, folder, parts):
        """Adds what runs when a name is imported from a folder. Returns its folder if it is a package, else None."""
        for part in parts:
            here = self.names(folder)
            compiled = [name for name in here if name.endswith((".so", ".pyd")) and name.startswith(part + ".")]
            for name in [part + ".py"] * (part + ".py" in here) + compiled:
                if os.path.isfile(join(folder, name)):
                    self.add(join(folder, name))
            if part not in here or not os.path.isdir(join(folder, part)):
                return None
            folder = join(folder, part)
            if "__init__.py" in self.names(folder):
                self.add(join(folder, "__init__.py"))
        return folder

    def follow(self, file):
        found = source(file)
        for path in found.paths:
            bases = [""] if os.path.isabs(path) else self.search[:]
            for folder in [os.path.relpath(join(base, path), root if os.path.isabs(path) else ".") for base in bases]:
                if is_inside(folder) and folder not in self.search and os.path.isdir(folder):
                    self.search.append(folder)
        for level, parts, members in found.imports:
            if level == 0:
                starts = self.search[:]
            else:
                start = os.path.dirname(file) or "."
                for _ in range(level - 1):
                    start = join(start, "..")
                self.packages_above(start)
                starts = [start]
            for start in starts:
                package = self.visit(start, parts)
                if package is None:
                    continue
                for member in members:
                    if member != "*":
                        self.visit(package, [member])
                    elif "__init__.py" in names(package):
                        for name in source(join(package, "__init__.py")).all:
                            self.visit(package, [name])

answer = {}
for entry, search in request["entries"].items():
    try:
        closure = Closure(os.path.normpath(entry), search)
        answer[entry] = {"modules": sorted(closure.modules), "folders": sorted(closure.folders | set(closure.search))}
    except SyntaxError as error:
        column = error.offset if error.offset and error.offset > 0 else None
        answer[entry] = {"file": error.filename, "line": error.lineno, "column": column, "message": error.msg}
    except (ValueError, RecursionError, MemoryError) as error:
        answer[entry] = {"file": entry, "message": str(error) or type(error).__name__}
    except OSError as error:
        answer[entry] = {"file": error.filename, "message": error.strerror}
json.dump(answer, sys.stdout)
`;
