-- One chain for each thread, which has one connection: every answer holds the next token.
local tokens = {}
for token in os.getenv("BENCH_TOKENS"):gmatch("%S+") do
  tokens[#tokens + 1] = token
end
local headers = { ["Content-Type"] = "application/json" }
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("refresh_token", tokens[threads])
end

function request()
  return wrk.format("POST", nil, headers, '{"refresh_token":"' .. refresh_token .. '"}')
end

function response(status, _, body)
  if status == 200 then
    refresh_token = body:match('"refresh_token":"([^"]+)"')
  end
end
