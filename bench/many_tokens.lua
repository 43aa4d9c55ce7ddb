-- Asks with one access token after another, those of the file that BENCH_TOKENS_FILE names.
local requests = {}
local turn = 0

function init()
  for token in io.lines(os.getenv("BENCH_TOKENS_FILE")) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Authorization"] = "Bearer " .. token })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
