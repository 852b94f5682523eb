--- Where the object of a connection has what every one has: in the array part of its table,
-- which takes a third of what fields with names would. There may be a hundred thousand objects
-- of connections that do nothing.
-- @module green.websocket.place

return {
  SET = 1, -- which it belongs to (green.websocket.set),
  HANDLE = 2, -- and as what (greenc/httpd/wsd.h)
  PATH = 3,
  ORIGIN = 4, -- nil: none was named; likewise
  PROTOCOL = 5,
  COMPRESSED = 6, -- true, or nil
  ENV = 7, -- what `env` is made of (green.websocket.env), until somebody wants it
  THREAD = 8, -- its own one (green.thread.exits), or false
}
