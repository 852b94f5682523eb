-- A file that is followed by its name: rotated, cut off, or not there yet.

local fs = require "green.fs"

local PIECE = 65536 -- bytes that are read at a time
local LONGEST = 65536 -- bytes of a line; a longer one is told in parts
local LAST = 10 -- lines of a file that was there before us
local methods = {}
methods.__index = methods

--- Tell the whole lines of what has been read.
local function tell_lines(self)
  local from, to = 1, self.rest:find("\n", 1, true)
  while to do
    self.tell(self.rest:sub(from, to - 1))
    from = to + 1
    to = self.rest:find("\n", from, true)
  end
  self.rest = self.rest:sub(from)
  if #self.rest >= LONGEST then
    self.tell(self.rest)
    self.rest = ""
  end
end

--- Read up to the end. Parks.
local function read(self)
  local piece = self.file:pread(PIECE, self.at)
  while piece do
    self.at = self.at + #piece
    self.rest = self.rest .. piece
    tell_lines(self)
    piece = self.file:pread(PIECE, self.at)
  end
end

--- Where the last lines of a file begin. Parks.
local function last_lines(file, size)
  local from = math.max(0, size - PIECE)
  local text, n = file:pread(PIECE, from) or "", 0
  for i = #text - 1, 1, -1 do -- the last byte begins no line
    n = n + (text:byte(i) == 10 and 1 or 0)
    if n == LAST then return from + i end
  end
  return from
end

--- No more of the file that there was: what it has left is a line. Does not park.
local function leave(self)
  if self.file then self.file:close() end
  if self.rest ~= "" then self.tell(self.rest) end
  self.file, self.at, self.rest = nil, 0, ""
end

--- Take up what has the name now. Parks.
local function enter(self)
  leave(self)
  local file = fs.open(self.path)
  local is = file and file:stat()
  if is and is.type == "file" then
    self.file, self.ino, self.dev = file, is.ino, is.dev
    self.at = self.is_old and last_lines(file, is.size) or 0
  end
end

--- Something may have happened to it: tell what there is. Parks.
function methods:look()
  if self.file then read(self) end
  local is = fs.stat(self.path)
  if is and is.type == "file" then
    if not self.file or is.ino ~= self.ino or is.dev ~= self.dev then
      enter(self)
    elseif is.size < self.at then -- cut off; nobody can tell when it is as long again by now
      self.at, self.rest = 0, ""
    end
    if self.file then read(self) end
  end
  self.is_old = false
end

--- A follower of a path; tell(line) gets its lines, each without its end.
return { new = function(path, tell)
  return setmetatable({ path = path, tell = tell, at = 0, rest = "", is_old = true }, methods)
end }
