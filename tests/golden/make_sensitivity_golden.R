# Reference numbers from R for sensitivity to what was not measured. Writes sensitivity.csv beside itself.
# rbounds (2.2) and robomit (1.0.7) need not be installed: their own source files serve, and of robomit only what uses lm.
#   ROBOMIT=robomit_functions.R RBOUNDS=rbounds.R Rscript make_sensitivity_golden.R
# rbounds.R is psens.R and binarysens.R one after the other. README.md says what is what.
suppressPackageStartupMessages({library(dplyr); library(broom); library(tidyr); library(tibble)})
source(Sys.getenv("ROBOMIT")); source(Sys.getenv("RBOUNDS"))
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
rows <- list()
add <- function(case, quantity, value) rows[[length(rows) + 1L]] <<- data.frame(case = case, quantity = quantity, value = sprintf("%.12g", as.numeric(value)))
lalonde <- read.csv(file.path(here, "lalonde_data.csv")); lalonde$race <- factor(lalonde$race)
sets <- list(
  mtcars = list(data = mtcars, y = "mpg", x = "wt", con = "hp + qsec"),
  lalonde = list(data = lalonde, y = "re78", x = "treat", con = "age + educ + race + married + nodegree + re74 + re75"))
of <- function(table, name) as.numeric(table$Value[table$Name == name])
for (name in names(sets)) { s <- sets[[name]]
  r2 <- summary(lm(as.formula(paste(s$y, "~", s$x, "+", s$con)), s$data))$r.squared
  for (times in c(1.1, 1.3)) { case <- paste0(name, "_", times); most <- min(1, times * r2); add(case, "r2_most", most)
    add(case, "delta", of(o_delta(y = s$y, x = s$x, con = s$con, beta = 0, R2max = most, type = "lm", data = s$data), "delta*"))
    for (delta in c(0.5, 1, 1.5)) add(case, paste0("beta_", delta), of(o_beta(y = s$y, x = s$x, con = s$con, delta = delta, R2max = most, type = "lm", data = s$data), "beta*")) } }
pairs <- read.csv(file.path(here, "lalonde_pairs.csv")); pairs <- pairs[pairs$case == "lalonde_nn_1to1_cal", ]
row.names(lalonde) <- lalonde$id
trt <- lalonde[pairs$treated_id, "re78"]; ctrl <- lalonde[pairs$control_id, "re78"]
lead_trt <- c(38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35, 49, 48, 44, 35, 43, 39, 34, 13, 73, 25, 27)
lead_ctrl <- c(16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19, 7, 18, 19, 12, 11, 22, 25, 16, 13, 11, 13)
bounds <- function(case, found) for (i in seq_len(nrow(found$bounds))) { g <- found$bounds[i, 1]
  add(case, paste0("lower_", g), found$bounds[i, 2]); add(case, paste0("upper_", g), found$bounds[i, 3]) }
options(digits = 15)
bounds("lead", psens(lead_trt, lead_ctrl, Gamma = 6, GammaInc = 1)); bounds("lalonde_pairs", psens(trt, ctrl, Gamma = 2, GammaInc = 0.25))
bounds("smoking", binarysens(12, 110, Gamma = 6, GammaInc = 1))
a <- sum(trt > 0 & ctrl == 0); b <- sum(trt == 0 & ctrl > 0); add("lalonde_work", "more", max(a, b)); add("lalonde_work", "fewer", min(a, b))
bounds("lalonde_work", binarysens(min(a, b), max(a, b), Gamma = 2, GammaInc = 0.25))
write.csv(do.call(rbind, rows), file.path(here, "sensitivity.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
