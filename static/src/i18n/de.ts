// German. Kubernetes' own words (Pod, Deployment, Service, kubelet …) stay as they are; sentences about steps come from the server.
// A part of the page brings its words in a file of its own under de/.
import { author } from "./de/author";
import { charts } from "./de/charts";
import { connect } from "./de/connect";
import { describe } from "./de/describe";
import { editor } from "./de/editor";
import { picture } from "./de/picture";
import { probes } from "./de/probes";
import { releases } from "./de/releases";
import { classroom } from "./de/classroom";
import { coteaching } from "./de/coteaching";
import { faults } from "./de/faults";
import { gallery } from "./de/gallery";
import { held } from "./de/held";
import { inside } from "./de/inside";
import { lab } from "./de/lab";
import { stage } from "./de/stage";
import { lessons } from "./de/lessons";
import { pictures } from "./de/pictures";
import { terminal } from "./de/terminal";
import { tools } from "./de/tools";

export const german: Record<string, string> = {
  ...author,
  ...classroom,
  ...coteaching,
  ...lab,
  ...charts,
  ...connect,
  ...describe,
  ...editor,
  ...faults,
  ...gallery,
  ...held,
  ...inside,
  ...picture,
  ...probes,
  ...releases,
  ...stage,
  ...lessons,
  ...pictures,
  ...terminal,
  ...tools,
};
