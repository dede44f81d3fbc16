// German: how one's own kubectl is connected.
export const connect: Record<string, string> = {
  "To act as somebody else, with a token or a certificate, connect over TLS instead: kubectl sends neither without it.": "Um als jemand anderes zu handeln, mit einem Token oder einem Zertifikat, verbinden Sie sich stattdessen über TLS: Ohne TLS schickt kubectl beides nicht mit.",
};
