// Draws the dashboard from a real Prometheus with the parts that Grafana draws with, which are published.
// The timeline of states is not, so it is drawn here. This is not Grafana: nothing can be edited.
import {
    createTheme,
    type DataFrame,
    dateTime,
    type FieldConfig,
    FieldType,
    getDisplayProcessor,
    type GrafanaTheme2,
    ThemeContext,
    type TimeRange,
    toDataFrame,
} from "@grafana/data";
import { type Dashboard, LegendDisplayMode, type Panel } from "@grafana/schema";
import { BigValue, BigValueColorMode, BigValueGraphMode, GlobalStyles, PanelChrome, TimeSeries } from "@grafana/ui";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const COLUMNS = 24, ROW = 30, GAP = 8; // Grafana's grid, its rows and gaps in pixels
const NARROW = window.innerWidth < 768; // pixels: there a panel takes the whole width
const WHOLE = { gridColumn: "1 / -1" };
const GRID = {
    display: "grid", gap: GAP, gridTemplateColumns: `repeat(${COLUMNS}, 1fr)`, gridAutoRows: NARROW ? "auto" : ROW,
};
const POINTS = 120;
const asked = new URLSearchParams(location.search);
const given = (name: string): string => {
    const value = asked.get(name);
    if (value === null) throw new Error(`the address lacks ?${name}=`);
    return value;
};

type Target = { expr: string; legendFormat: string };
type Series = { metric: Record<string, string>; values: [number, string][] };
type Place = { x: number; y: number; w: number; h: number };
type Drawn = Omit<Panel, "targets"> & { title: string; gridPos: Place; targets?: Target[] };

const filled = (text: string): string =>
    text
        .replaceAll("$namespace", given("namespace"))
        .replaceAll("$statefulset", given("statefulset"))
        .replaceAll("$__rate_interval", given("rate_interval"));

async function series(target: Target, time: TimeRange, defaults: FieldConfig): Promise<DataFrame[]> {
    const [start, end] = [time.from.valueOf() / 1000, time.to.valueOf() / 1000];
    const query = new URLSearchParams({
        query: filled(target.expr), start: `${start}`, end: `${end}`, step: `${(end - start) / POINTS}`,
    });
    const answer = await fetch(`${given("prometheus")}/api/v1/query_range?${query}`);
    const { status, error, data } = await answer.json();
    if (status !== "success") throw new Error(`${target.expr}: ${error}`);
    return data.result.map(({ metric, values }: Series) => {
        const displayName = target.legendFormat.replace(/{{(\w+)}}/g, (_, label) => metric[label] ?? "");
        const times = { name: "Time", type: FieldType.time, values: values.map(([at]) => at * 1000) };
        const numbers = { name: "Value", type: FieldType.number, values: values.map(([, value]) => +value) };
        return toDataFrame({ fields: [times, { ...numbers, config: { ...defaults, displayName } }] });
    });
}

function States({ frames, time, theme }: { frames: DataFrame[]; time: TimeRange; theme: GrafanaTheme2 }) {
    const [from, to] = [time.from.valueOf(), time.to.valueOf()];
    const step = (to - from) / POINTS;
    const percent = (duration: number) => `${(100 * duration) / (to - from)}%`;
    const rows = frames.map(({ fields: [at, field] }) => {
        const states: { value: number; start: number; end: number }[] = [];
        for (const [i, start] of at.values.entries()) {
            const value = field.values[i], end = Math.min(start + step, to), last = states.at(-1);
            if (last && last.value === value && start - last.end < step / 2) last.end = end;
            else states.push({ value, start, end });
        }
        return (
            <div className="states" key={field.config.displayName}>
                <span>{field.config.displayName}</span>
                <div>
                    {states.map(({ value, start, end }) => {
                        const { text, color } = field.display!(value);
                        const colors = { background: color, color: theme.colors.getContrastText(color!) };
                        const place = { left: percent(start - from), width: percent(end - start) };
                        return <i key={start} style={{ ...colors, ...place }} title={text}>{text}</i>;
                    })}
                </div>
            </div>
        );
    });
    return <>{rows}</>;
}

function Content({ panel, frames, time, theme, width, height }: {
    panel: Drawn; frames: DataFrame[]; time: TimeRange; theme: GrafanaTheme2; width: number; height: number;
}) {
    if (frames.length === 0) return <div className="empty">No data</div>;
    if (panel.type === "stat") {
        const { values, display } = frames[0].fields[1];
        const value = display!(values[values.length - 1]);
        const modes = { colorMode: BigValueColorMode.Value, graphMode: BigValueGraphMode.None };
        return <BigValue {...{ value, theme, width, height }} {...modes} />;
    }
    if (panel.type === "state-timeline") return <States {...{ frames, time, theme }} />;
    const legend = { displayMode: LegendDisplayMode.List, placement: "bottom" as const, showLegend: true, calcs: [] };
    return <TimeSeries {...{ frames, legend, width, height }} timeRange={time} timeZone="utc" />;
}

function PanelOnPage({ panel, time, theme }: { panel: Drawn; time: TimeRange; theme: GrafanaTheme2 }) {
    const [frames, setFrames] = useState<DataFrame[]>();
    useEffect(() => {
        const draw = async () => {
            const defaults = panel.fieldConfig?.defaults as FieldConfig;
            const drawn = (await Promise.all(panel.targets!.map((target) => series(target, time, defaults)))).flat();
            for (const [seriesIndex, { fields: [, field] }] of drawn.entries()) {
                field.state = { seriesIndex };
                field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
            }
            setFrames(drawn);
        };
        draw().catch((error) => console.error(error));
    }, []);
    const { x, y, w, h } = panel.gridPos;
    const column = (document.body.clientWidth - GAP * (COLUMNS + 1)) / COLUMNS;
    const width = NARROW ? document.body.clientWidth - 2 * GAP : w * column + (w - 1) * GAP;
    const height = h * ROW + (h - 1) * GAP;
    const place = NARROW ? WHOLE : { gridColumn: `${x + 1} / span ${w}`, gridRow: `${y + 1} / span ${h}` };
    return (
        <div style={place} data-panel={panel.title} data-drawn={frames !== undefined}>
            <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
                {(width, height) => frames && <Content {...{ panel, frames, time, theme, width, height }} />}
            </PanelChrome>
        </div>
    );
}

function Page({ dashboard, theme }: { dashboard: Dashboard; theme: GrafanaTheme2 }) {
    const to = dateTime(), from = dateTime(to).subtract(+given("minutes"), "minutes");
    const time = { from, to, raw: { from, to } };
    const heading = ({ id, title, gridPos }: Drawn) => (
        <h2 key={id} style={NARROW ? WHOLE : { ...WHOLE, gridRow: gridPos.y + 1 }}>{title}</h2>
    );
    const content = (dashboard.panels as Drawn[]).map((panel) =>
        panel.type === "row" ? heading(panel) : <PanelOnPage key={panel.id} {...{ panel, time, theme }} />);
    return (
        <ThemeContext.Provider value={theme}>
            <GlobalStyles />
            <header>
                <h1>{dashboard.title}</h1>
                <span>namespace <b>{given("namespace")}</b> statefulset <b>{given("statefulset")}</b></span>
            </header>
            <main style={GRID}>{content}</main>
        </ThemeContext.Provider>
    );
}

const theme = createTheme({ colors: { mode: given("theme") as "light" | "dark" } });
document.body.style.background = theme.colors.background.canvas;
document.body.style.color = theme.colors.text.primary;
const dashboard: Dashboard = await (await fetch("dashboard.json")).json();
createRoot(document.getElementById("root")!).render(<Page {...{ dashboard, theme }} />);
