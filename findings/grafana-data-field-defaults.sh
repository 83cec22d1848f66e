#!/bin/sh
# @grafana/data 13.2.3: applyFieldOverrides, which fills in what a panel sets for its fields, drops all of it
# without a word outside of Grafana: unit, decimals, limits, mappings. The registry that it copies by is exported, and is
# empty until Grafana's own application fills it, with what no package has. The same settings in the field itself are
# followed by getDisplayProcessor, which works as published. (On Node.js 20 both throw without a `navigator`.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save @grafana/data@13.2.3 react@19.3.1 react-dom@19.3.1 >/dev/null

cat >show.cjs <<'JS'
Object.defineProperty(globalThis, "navigator", { value: { language: "en-GB", languages: ["en-GB"] } });
const grafana = require("@grafana/data");

const theme = grafana.createTheme();
const defaults = { unit: "bytes", decimals: 1, mappings: [], min: 0 };
const frame = (config) =>
    grafana.toDataFrame({ fields: [{ name: "memory", type: grafana.FieldType.number, values: [2048], config }] });
const shown = ({ text, suffix }) => text + (suffix ?? "");

const fieldConfig = { defaults, overrides: [] };
const [filled] = grafana.applyFieldOverrides({ data: [frame({})], fieldConfig, replaceVariables: (text) => text, theme });
console.log("applyFieldOverrides:", JSON.stringify(filled.fields[0].config), shown(filled.fields[0].display(2048)));
console.log("its registry has", grafana.standardFieldConfigEditorRegistry.list().length, "settings");
const [field] = frame(defaults).fields;
console.log("getDisplayProcessor:", shown(grafana.getDisplayProcessor({ field, theme })(2048)));
JS

said=$(node show.cjs)
echo "$said"
expected='applyFieldOverrides: {} 2048
its registry has 0 settings
getDisplayProcessor: 2.0 KiB'
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
