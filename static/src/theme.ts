// Runs before the page is drawn, so that it never flashes in the wrong theme.
import { recall } from "./lab/remember";

const theme = recall("theme");
if (theme) document.documentElement.dataset["theme"] = theme;
if (recall("presenting")) document.documentElement.dataset["presenting"] = "on";
