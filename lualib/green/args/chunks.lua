--- Long texts, made of many pieces, as a list of chunks: no step of the work is longer than
-- it takes to make one of these. Private to the library.
-- @module green.args.chunks

-- Scripts may put their own in their places.
local concat, insert, setmetatable = table.concat, table.insert, setmetatable

local SIZE = 32 * 1024 -- bytes, with which a chunk is complete

local Chunks = {}
Chunks.__index = Chunks

--- A text that is empty so far.
-- @tparam[opt=""] string ending what follows each piece
function Chunks.new(ending)
  return setmetatable({
    ending = ending or "",
    list = {}, -- those that are complete
    n = 0, -- pieces of the next one, which stand at 1 to n,
    size = 0, -- and their bytes
  }, Chunks)
end

local function complete(self)
  self.list[#self.list + 1] = concat(self, self.ending, 1, self.n) .. self.ending
  self.n, self.size = 0, 0
end

--- Add a piece. Does not park.
function Chunks:put(text)
  local n, size = self.n + 1, self.size + #text
  self[n], self.n, self.size = text, n, size
  if size >= SIZE then
    complete(self)
  end
end

--- All of it: a list of texts, one at least. Nothing is added any more.
-- @tparam[opt] string head what stands before them all
function Chunks:finish(head)
  if self.n > 0 then
    complete(self)
  end
  if head or #self.list == 0 then
    insert(self.list, 1, head or "")
  end
  return self.list
end

return Chunks
