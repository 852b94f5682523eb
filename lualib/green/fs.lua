--- Files and folders, without stopping the loop.
--
-- Every call is made by a native thread (a pool that the process shares), and its green thread
-- parks meanwhile. Failures are `nil, err`; the error names the path: "open /x: no such file or
-- directory (ENOENT)", and has it in `err.path`. Each call is a checkpoint. One that is killed
-- while a native thread is at it has done to the disk what it was to do, or not: the thread
-- finishes, and what it has opened is closed.
-- @module green.fs

local glob = require "green.fs.glob"
local names = require "green.fs.names"
local place = require "green.fs.place"
local root = require "green.fs.root"
local tree = require "green.fs.tree"
local watch = require "green.fs.watch"
local whole = require "green.fs.whole"

local M = {}

-- Functions that have a place before their arguments, each in the module that has it.
local placed = {
  [names] = { "stat", "lstat", "statvfs", "exists", "readlink", "realpath", "readdir", "mkdir",
    "rmdir", "unlink", "remove", "rename", "link", "symlink", "chmod", "chown", "utime",
    "truncate" },
  [whole] = { "open", "read_file", "write_file", "append_file", "tempfile", "tempdir", "lock" },
  [tree] = { "walk", "copy", "move" },
  [glob] = { "glob" },
  [watch] = { "watch" },
  [root] = { "root" },
}

local functions = {}
for module, list in pairs(placed) do
  for _, name in ipairs(list) do
    local fn = module[name]
    functions[name] = fn
    M[name] = place.none(fn)
  end
end
root.make_class(functions)

M.match = glob.match

return M
