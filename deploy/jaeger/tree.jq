# Prints Jaeger's /api/traces/{id} as an indented tree with a line for each span: service, name, duration, and
# whether it failed or its parent is missing.
(.data[0]? // ("no such trace, or not yet\n" | halt_error)) as $trace
| ($trace.spans | map({key: .spanID, value: true}) | from_entries) as $present
| ($trace.spans
   | sort_by(.startTime)
   | map(. + {above: (.references[0].spanID // null)})
   | group_by(.above | if . and $present[.] then . else "root" end)
   | map({key: (.[0].above | if . and $present[.] then . else "root" end), value: .})
   | from_entries) as $children
| def tree($id; $indent):
    $children[$id][]?
    | "\($indent)\($trace.processes[.processID].serviceName)  \(.operationName)  \(.duration / 1000) ms"
      + (if any(.tags[]; .key == "error" and .value == true) then "  ERROR" else "" end)
      + (if $id == "root" and .above then "  (parent missing)" else "" end),
      tree(.spanID; $indent + "  ");
tree("root"; "")
