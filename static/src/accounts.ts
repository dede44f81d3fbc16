// The pages of accounts: plain forms; only the language is chosen by script.
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/front.css";
import "./styles/accounts.css";
import { chooseLanguage } from "./i18n/choose";

chooseLanguage(document.querySelector<HTMLSelectElement>("select[name=language]"));
document.querySelector<HTMLFormElement>("form[data-submit-now]")?.submit();
