--- What `greenlua attach` and a backdoor say to each other. Private to the library.
--
-- A frame is a line "KIND LENGTH" and so many bytes. Who attaches sends HELLO as its first
-- line; the other answers with WELCOME, and from there on both speak in frames. To
-- the backdoor: "line" (a line of a statement), "kill" (what runs), "complete" (a text),
-- "threads" (all of them: "out" and at last "answer"), "top" (columns, rows, order), "trace" and
-- "kill_thread" (an id). From it: "out" (text to show), "prompt", "words" (one a line), "answer".
-- @module green.backdoor.frame

local match, tonumber = string.match, tonumber

local M = {
  HELLO = "\1greenlua attach 1",
  WELCOME = "\1greenlua attached 1",
}

local HEAD = 32 -- bytes of a frame's line

--- A frame as bytes. Does not park.
-- @tparam string kind
-- @tparam string text
function M.pack(kind, text)
  return kind .. " " .. #text .. "\n" .. text
end

--- The next frame. Parks.
-- @param stream
-- @tparam number most bytes of its text
-- @treturn string kind
-- @treturn string text
-- @return or nil: the end; or nil, err: an error of the stream, or a text that says what is
-- wrong
function M.read(stream, most)
  local head, err = stream:read_line { max = HEAD }
  if not head then
    return nil, err
  end
  local kind, length = match(head, "^([%l_]+) (%d+)$")
  length = tonumber(length)
  if not kind or length > most then
    return nil, "no frame"
  elseif length == 0 then
    return kind, ""
  end
  local text
  text, err = stream:read(length)
  if not text then
    return nil, err or "no whole frame"
  end
  return kind, text
end

return M
